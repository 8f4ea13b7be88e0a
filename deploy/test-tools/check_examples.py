"""Holds every example of an OpenAPI document against its schema: check_examples.py FILE; exit 1 names what does not fit."""

import json
import sys

import jsonschema_rs

document = json.load(open(sys.argv[1], encoding="utf-8"))
checked = 0
for path, methods in document["paths"].items():
    for method, operation in methods.items():
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                if "example" not in content:
                    continue
                schema = {**content["schema"], "components": document["components"]}
                validator = jsonschema_rs.Draft202012Validator(schema)
                for error in validator.iter_errors(content["example"]):
                    sys.exit(f"{method} {path} {status}: {error.message}")
                checked += 1
print(f"{checked} examples fit")
