//! The description of the API for people, made from the one for programs.

use askama::Template;
use serde_json::Value;

use super::layout::Layout;

/// `GET /api`.
#[derive(Debug, Template)]
#[template(path = "api.html")]
pub struct ApiPage {
    /// The frame.
    pub layout: Layout,
    /// Version of `OpenAPI` that the description is written in.
    pub openapi: String,
    /// What holds everywhere.
    pub introduction: String,
    /// The operations, group by group.
    pub groups: Vec<Group>,
    /// What is sent and received.
    pub schemas: Vec<Shape>,
}

/// Operations on one subject.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub about: String,
    /// Its operations.
    pub operations: Vec<Operation>,
}

/// What may be asked at one address.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Name of the operation, also its anchor.
    pub id: String,
    /// The method, in capitals.
    pub method: String,
    /// The address.
    pub path: String,
    /// What it does.
    pub summary: String,
    /// More about it.
    pub about: Option<String>,
    /// It wants a personal token.
    pub with_token: bool,
    /// What is in the address.
    pub parameters: Vec<Parameter>,
    /// What is sent: the media type and, for a form, its fields.
    pub body: Option<(String, Vec<Parameter>)>,
    /// Status, what it means, media type and the name of what comes.
    pub answers: Vec<Answer>,
    /// An answer, as it may be.
    pub example: Option<String>,
    /// How to ask on a command line.
    pub command: String,
}

/// Something that is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: String,
    /// What it means.
    pub meaning: String,
    /// The media type.
    pub media_type: String,
    /// The schema by name.
    pub schema: Option<String>,
}

/// A parameter, a field of a form, or a property.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it stands: `path`, `query` or nothing.
    pub place: String,
    /// It has to be there.
    pub required: bool,
    /// What it may be.
    pub kind: String,
    /// The schema by name, if it is one of them.
    pub schema: Option<String>,
    /// What it means.
    pub meaning: String,
}

/// A schema.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Its properties; nothing for what is a word or a number.
    pub properties: Vec<Parameter>,
    /// What it may be, if it has no properties.
    pub kind: String,
}

impl ApiPage {
    /// From a description in `OpenAPI`; `site` is the address of this service.
    pub fn new(layout: Layout, document: &Value, site: &str) -> Self {
        let groups = list(&document["tags"]).map(|tag| Group {
            name: text(&tag["name"]),
            about: text(&tag["description"]),
            operations: operations(document, &tag["name"], site),
        });
        let schemas = entries(&document["components"]["schemas"]).map(|(name, schema)| Shape {
            name: name.clone(),
            about: text(&schema["description"]),
            properties: properties(schema),
            kind: kind(schema),
        });
        Self {
            openapi: text(&document["openapi"]),
            introduction: text(&document["info"]["description"]),
            groups: groups.collect(),
            schemas: schemas.collect(),
            layout,
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// One line, without the marks that set words apart in the description for programs.
fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default().replace(['`', '[', ']'], "");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn operations(document: &Value, tag: &Value, site: &str) -> Vec<Operation> {
    let all = entries(&document["paths"]).flat_map(|(path, methods)| {
        entries(methods).map(move |(method, operation)| (path, method, operation))
    });
    all.filter(|(.., operation)| list(&operation["tags"]).any(|of| of == tag))
        .map(|(path, method, described)| operation(path, method, described, site))
        .collect()
}

fn operation(path: &str, method: &str, described: &Value, site: &str) -> Operation {
    let parameters: Vec<Parameter> = list(&described["parameters"])
        .map(|it| Parameter {
            name: text(&it["name"]),
            place: text(&it["in"]),
            required: it["required"] == true,
            kind: kind(&it["schema"]),
            schema: None,
            meaning: text(&it["description"]),
        })
        .collect();
    let body = entries(&described["requestBody"]["content"]).next();
    let with_token = described.get("security").is_some();
    let examples = entries(&described["responses"])
        .find_map(|(_, answer)| answer["content"]["application/json"].get("example"));
    let mut command = format!("curl '{site}{}'", filled(path, described));
    if method != "get" {
        command = format!("{command} -X {}", method.to_uppercase());
    }
    if with_token {
        command.push_str(" -H \"authorization: Bearer $FFASR_TOKEN\"");
    }
    Operation {
        id: text(&described["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&described["summary"]),
        about: described.get("description").map(text),
        with_token,
        parameters,
        body: body.map(|(kind, body)| (kind.clone(), properties(&body["schema"]))),
        answers: entries(&described["responses"]).map(|(status, it)| answer(status, it)).collect(),
        example: examples.and_then(|example| serde_json::to_string_pretty(example).ok()),
        command,
    }
}

/// An address with the examples of its parameters.
fn filled(path: &str, described: &Value) -> String {
    let mut path = path.to_owned();
    for parameter in list(&described["parameters"]).filter(|it| it["in"] == "path") {
        path = path.replace(&format!("{{{}}}", text(&parameter["name"])), &text(&parameter["example"]));
    }
    path
}

fn answer(status: &str, described: &Value) -> Answer {
    let content = entries(&described["content"]).next();
    Answer {
        status: status.to_owned(),
        meaning: text(&described["description"]),
        media_type: content.map(|(kind, _)| kind.clone()).unwrap_or_default(),
        schema: content.and_then(|(_, content)| named(&content["schema"])),
    }
}

fn properties(schema: &Value) -> Vec<Parameter> {
    let required: Vec<&Value> = list(&schema["required"]).collect();
    entries(&schema["properties"])
        .map(|(name, property)| Parameter {
            name: name.clone(),
            place: String::new(),
            required: required.iter().any(|it| *it == name),
            kind: kind(property),
            schema: named(property),
            meaning: text(&property["description"]),
        })
        .collect()
}

/// The name of the schema that is referred to, itself or in a list, or where null is possible as well.
fn named(schema: &Value) -> Option<String> {
    // What is not there has no parts either.
    schema.as_object()?;
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().map(str::to_owned);
    }
    let inner = [&schema["items"], &schema["additionalProperties"]].into_iter().chain(list(&schema["anyOf"]));
    inner.into_iter().find_map(named)
}

/// What a value may be, in words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if schema["enum"].is_array() {
        let words: Vec<String> =
            list(&schema["enum"]).map(|it| it.as_str().unwrap_or("null").to_owned()).collect();
        return words.join(" | ");
    }
    let any: Vec<String> = list(&schema["anyOf"]).chain(list(&schema["oneOf"])).map(kind).collect();
    if !any.is_empty() {
        return any.join(" or ");
    }
    if let Some(only) = schema.get("const") {
        return only.as_str().map_or_else(|| only.to_string(), str::to_owned);
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        many => list(many).filter_map(Value::as_str).collect(),
    };
    let words = names.iter().map(|name| match (*name, schema["format"].as_str()) {
        ("array", _) if schema["prefixItems"].is_array() => {
            format!("[{}]", list(&schema["prefixItems"]).map(kind).collect::<Vec<_>>().join(", "))
        }
        ("array", _) => format!("list of {}", kind(&schema["items"])),
        ("object", _) if schema["additionalProperties"].is_object() => {
            format!("{} by name", kind(&schema["additionalProperties"]))
        }
        ("string", Some(format)) => format.to_owned(),
        (name, _) => name.to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}
