//! The description of the API, version 1, as `OpenAPI` 3.1: served beside it, shown at `/api`, and tested against it.
//!
//! The paths are said here; the schemas come from the types that handlers answer with, so that they cannot drift apart.

mod examples;
mod operations;

use std::{borrow::Cow, sync::LazyLock};

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What an error is answered with: problem JSON (RFC 9457).
#[derive(Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    pub(crate) r#type: &'static str,
    /// The status in words.
    pub(crate) title: &'static str,
    /// The status.
    #[schemars(range(min = 400, max = 599))]
    pub(crate) status: u16,
    /// What is wrong and what to do, in sentences.
    pub(crate) detail: String,
    /// With 422: what is wrong, field by field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<Fault>,
}

/// What is wrong with one field.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Fault {
    /// The field.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// Date and time as RFC 3339 writes them.
pub(crate) struct Moment;

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// [`scoring::MatchedPairs`], in which an infinite z is null.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "stands for a type of a crate that knows no schemas")]
pub(crate) struct MatchedPairs {
    /// Segments in which at least one model makes an error.
    segments: u64,
    /// Mean over the segments of errors of A less errors of B.
    mean: f64,
    /// Standard deviation of those differences.
    std_dev: f64,
    /// Null where it is infinite.
    z: Option<f64>,
    /// Two-sided p value.
    p: f64,
}

/// [`scoring::Agreement`].
#[derive(JsonSchema)]
#[expect(dead_code, reason = "stands for a type of a crate that knows no schemas")]
pub(crate) struct Agreement {
    /// Number of models.
    models: u64,
    /// Mean of simulated less measured.
    mean_difference: f64,
    /// 95 % interval of it over models.
    mean_difference_interval: Option<Interval>,
    /// Mean of the magnitudes of the differences.
    mean_absolute_difference: f64,
    /// Kendall's tau-b of the two rankings.
    kendall_tau: Option<f64>,
    /// 95 % interval of it over models.
    kendall_tau_interval: Option<Interval>,
}

/// A closed interval.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "stands for a type of a crate that knows no schemas")]
pub(crate) struct Interval {
    low: f64,
    high: f64,
}

/// The whole description.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

/// `GET /api/v1/openapi.json`.
pub(crate) async fn serve() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// Schemas of what is sent and received, each once under its name.
struct Schemas(SchemaGenerator);

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self(settings.for_serialize().into_generator())
    }

    /// A reference to the schema of an answer.
    fn of<T: JsonSchema>(&mut self) -> Value {
        self.0.subschema_for::<T>().to_value()
    }

    /// The schema of what is sent, in one piece: what may be left out there is not what may be missing in an answer.
    fn sent<T: JsonSchema>() -> Value {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        });
        settings.for_deserialize().into_generator().into_root_schema_for::<T>().to_value()
    }
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for operation in operations::all(&mut schemas) {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = operation.described;
    }
    schemas.of::<Problem>();
    let mut schemas = Value::Object(schemas.0.take_definitions(true));
    forget_titles(&mut schemas);
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "FFASR",
            "version": "1",
            "summary": "Boards, results and submissions of a far-field speech recognition leaderboard.",
            "description": "Rates are fractions, times are in seconds, moments are RFC 3339 in UTC. What is added to answers later is optional; what is here stays. Errors are problem JSON (RFC 9457).",
            "license": {"name": "MIT OR Apache-2.0 (code); each release states the licence of its figures", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This service"}],
        "tags": operations::TAGS.iter().map(|(name, description)| json!({"name": name, "description": description})).collect::<Value>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A personal token, `ffa_…`."},
            },
        },
    })
}

/// A schema has a name where it stands; another within it would be shown instead by some tools.
fn forget_titles(schemas: &mut Value) {
    for schema in schemas.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("title");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::routes;

    #[test]
    fn the_description_is_what_it_was() {
        let text = serde_json::to_string_pretty(&*DOCUMENT).unwrap();
        insta::assert_snapshot!("openapi", text);
    }

    #[test]
    fn every_address_of_the_api_is_described_and_nothing_else_is() {
        let described: BTreeSet<&str> =
            DOCUMENT["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let routed = routes::of_the_api().into_iter().map(|(path, _)| path);
        assert_eq!(described, routed.collect::<BTreeSet<_>>());
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_says_what_is_answered() {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let place = format!("{method} {path}");
                *names.entry(operation["operationId"].as_str().unwrap()).or_default() += 1;
                assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 10), "{place}");
                let answers = operation["responses"].as_object().unwrap();
                assert!(answers.keys().any(|status| status.starts_with('2')), "{place}");
                let named: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
                let described: BTreeSet<&str> = operation["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|parameter| parameter["in"] == "path")
                    .filter_map(|parameter| parameter["name"].as_str())
                    .collect();
                assert_eq!(named, described, "{place}");
            }
        }
        assert!(names.values().all(|times| *times == 1), "{names:?}");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn look(value: &Value, document: &Value) {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(reference)) = map.get("$ref") {
                        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
                    }
                    map.values().for_each(|value| look(value, document));
                }
                Value::Array(values) => values.iter().for_each(|value| look(value, document)),
                _ => {}
            }
        }
        look(&DOCUMENT, &DOCUMENT);
    }
}
