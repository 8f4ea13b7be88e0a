//! What can be asked, address by address.

use schemars::JsonSchema;
use selection::{Cost, PURPOSES, SizeClass};
use serde_json::{Value, json};

use super::{Schemas, examples};
use crate::{
    api::{
        Boards, ComparisonJson, ExternalBoards, PreviewJson, QueueJson, ResultJson, SelfReportTaken,
        SelfReports, SubmissionJson,
    },
    board::BoardJson,
    self_report::SelfReport,
    sim_to_real::Panel,
    uploads::{Addresses, Begin, Sent, UploadJson, WantedParts},
};

/// Groups of operations: name and what they are about.
pub(super) const TAGS: [(&str, &str); 5] = [
    ("boards", "Ranked models, release by release."),
    ("results", "Single results, and two against each other."),
    ("queue", "What waits, what runs, and how far a submission is."),
    ("submissions", "Handing in models and results, with a personal token."),
    ("about", "This description."),
];

/// One operation.
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    /// The operation object of `OpenAPI`.
    pub(super) described: Value,
}

/// Of an operation: method, path, its name, its group and what it does in a sentence.
fn operation(method: &'static str, path: &'static str, id: &str, tag: &str, summary: &str) -> Operation {
    let described = json!({
        "operationId": id, "tags": [tag], "summary": summary, "parameters": [], "responses": {},
    });
    Operation { path, method, described }
}

impl Operation {
    fn with(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        if let Some(all) = self.described["parameters"].as_array_mut() {
            all.extend(parameters);
        }
        self
    }

    fn about(mut self, description: &str) -> Self {
        self.described["description"] = json!(description);
        self
    }

    fn done(mut self, status: u16, what: &str) -> Self {
        self.described["responses"][status.to_string()] = json!({"description": what});
        self
    }

    fn answers(mut self, status: u16, what: &str, media_type: &str, schema: &Value) -> Self {
        self.described["responses"][status.to_string()] =
            json!({"description": what, "content": {media_type: {"schema": schema}}});
        self
    }

    /// JSON of a type, with an example of it where there is one.
    fn json<T: JsonSchema>(self, schemas: &mut Schemas, status: u16, what: &str) -> Self {
        let mut answered = self.answers(status, what, "application/json", &schemas.of::<T>());
        let id = answered.described["operationId"].as_str().unwrap_or_default();
        if let Some(example) = examples::of(id) {
            answered.described["responses"][status.to_string()]["content"]["application/json"]["example"] =
                example;
        }
        answered
    }

    fn takes(mut self, media_type: &str, schema: &Value) -> Self {
        self.described["requestBody"] =
            json!({"required": true, "content": {media_type: {"schema": schema}}});
        self
    }

    /// For whoever sends a personal token.
    fn with_token(mut self) -> Self {
        self.described["security"] = json!([{"token": []}]);
        self.refused([401])
    }

    /// The errors that this operation can meet.
    fn refused(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        for status in statuses {
            let what = match status {
                400 => "The request cannot be understood; the detail says which part of it.",
                401 => "The token is missing or not valid.",
                403 => "The request was made by a page of another site.",
                404 => "There is no such thing.",
                409 => "It does not fit the present state; the detail says which.",
                413 => "The request is larger than is taken.",
                415 => "The body is of another kind than is taken.",
                422 => "It is understood, but something in it is wrong.",
                429 => "The quota is spent; `Retry-After` says when there is more.",
                _ => "The service or its database is busy or away; try again.",
            };
            self.described["responses"][status.to_string()] = json!({
                "description": what,
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            });
        }
        self
    }
}

fn in_path(name: &str, description: &str, schema: &Value, example: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema, "example": example})
}

fn in_query(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
}

fn release() -> Value {
    let words = "The release: `slug` for its newest version, or `slug@version`.";
    in_path("release", words, &word(), "demo")
}

fn id_of(name: &str, what: &str) -> Value {
    let schema = json!({"type": "string", "format": "uuid"});
    in_path(name, &format!("Id of {what}."), &schema, "0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b")
}

/// Text that does not begin with a space and holds no control characters.
fn word() -> Value {
    const WORD: &str = r"^[^\u0000-\u0020\u007f-\u00a0][^\u0000-\u001f\u007f-\u009f]*$";
    json!({"type": "string", "minLength": 1, "pattern": WORD})
}

fn positive(name: &str, description: &str) -> Value {
    in_query(name, description, &json!({"type": "number", "exclusiveMinimum": 0}))
}

/// One of some words.
fn choice(name: &str, description: &str, words: impl IntoIterator<Item = &'static str>) -> Value {
    in_query(name, description, &json!({"type": "string", "enum": words.into_iter().collect::<Vec<_>>()}))
}

fn profile() -> Value {
    let names = scoring::ScoringProfile::ALL.map(|profile| profile.name);
    choice("profile", "The scoring profile; without it the one that ranks.", names)
}

/// The parameters of a view of a board.
fn view() -> Vec<Value> {
    const SORT: &str = "The column to sort by: `rank`, `model`, `wer`, `rtfx`, `latency-p50`, `latency-p95`, `params`, or a track.";
    const WEIGHTS: &str = "^[A-Za-z0-9-]+:[1-9][0-9]{0,3}(,[A-Za-z0-9-]+:[1-9][0-9]{0,3})*$";
    let purposes = PURPOSES.iter().map(|purpose| purpose.name).chain(["ranking", "own"]);
    let weights = json!({"type": "string", "pattern": WEIGHTS});
    vec![
        in_query("hardware", "The hardware class; without it the first there is.", &word()),
        profile(),
        in_query("sort", SORT, &word()),
        choice("dir", "The direction of sorting.", ["asc", "desc"]),
        in_query("q", "Text within the name of the model or its organisation.", &word()),
        in_query("organisation", "Models of this organisation alone.", &word()),
        in_query("runtime", "Models of this runtime alone.", &word()),
        in_query("licence", "Models under this licence alone; `open` for any open one.", &word()),
        choice("size", "Models of this size alone.", SizeClass::ALL.map(SizeClass::name)),
        choice("for", "A purpose that models are placed for anew.", purposes),
        in_query("weights", "Your own weights over tracks, such as `near:1,far-low:3`.", &weights),
        positive("min-rtfx", "Least RTFx that a model must have."),
        positive("max-p95", "Longest 95th percentile of the time of an utterance, in seconds."),
        positive("max-params", "Most parameters, in millions."),
        in_query("columns", "Columns of the page, separated by commas.", &word()),
        in_query("y", "Vertical axis of the chart: `wer` or a track.", &word()),
        choice("x", "Horizontal axis of the chart.", Cost::ALL.map(Cost::name)),
    ]
}

fn board(path: &'static str, id: &str, summary: &str) -> Operation {
    operation("get", path, id, "boards", summary).with([release()]).with(view()).refused([400, 404])
}

/// Bytes, and text that is not JSON.
fn file() -> Value {
    json!({"type": "string", "format": "binary"})
}

fn text() -> Value {
    json!({"type": "string"})
}

const PARQUET: &str = "application/vnd.apache.parquet";

/// All of them.
pub(super) fn all(schemas: &mut Schemas) -> Vec<Operation> {
    let mut all = boards(schemas);
    all.extend(results(schemas));
    all.extend(queue(schemas));
    all.extend(submissions(schemas));
    all.extend(uploads(schemas));
    let about = "This description, as OpenAPI 3.1.";
    let description = operation("get", "/api/v1/openapi.json", "describeApi", "about", about);
    let schema = json!({"type": "object"});
    all.push(description.answers(200, "The description.", "application/json", &schema));
    all
}

fn boards(schemas: &mut Schemas) -> Vec<Operation> {
    let list = "The frozen releases and where their boards are.";
    let twin = "A measured laboratory against its simulated twin, model by model.";
    vec![
        operation("get", "/api/v1/boards", "listBoards", "boards", list).json::<Boards>(
            schemas,
            200,
            "The releases, the newest first.",
        ),
        board("/api/v1/boards/{release}", "getBoard", "A board, or any view of it.")
            .about("With a filter, a purpose or limits, each row says where it stands in the view.")
            .json::<BoardJson>(schemas, 200, "The rows in the order asked for."),
        board("/api/v1/boards/{release}/csv", "getBoardAsCsv", "The same view as CSV.").answers(
            200,
            "A line of names, then a line a model.",
            "text/csv",
            &text(),
        ),
        board("/api/v1/boards/{release}/parquet", "getBoardAsParquet", "The same view as Parquet.")
            .about("The columns are those of the CSV.")
            .answers(200, "One row a model.", PARQUET, &file()),
        board("/api/v1/boards/{release}/text", "getBoardAsText", "The same view as a table for a terminal.")
            .answers(200, "The table.", "text/plain", &text()),
        board("/api/v1/boards/{release}/pareto.svg", "getParetoChart", "The Pareto chart of a view as SVG.")
            .answers(200, "The chart.", "image/svg+xml", &text()),
        board("/api/v1/boards/{release}/pareto.png", "getParetoChartAsPng", "The same chart as PNG.")
            .answers(200, "The chart.", "image/png", &file())
            .refused([503]),
        operation("get", "/api/v1/boards/{release}/sim-to-real", "compareSimulation", "boards", twin)
            .with([release()])
            .json::<Panel>(schemas, 200, "The models that ran on both.")
            .refused([404, 503]),
    ]
}

fn results(schemas: &mut Schemas) -> Vec<Operation> {
    let model = |name: &str| {
        let schema = json!({"type": "string", "format": "uuid"});
        let mut parameter = in_query(name, "A published submission.", &schema);
        parameter["required"] = json!(true);
        parameter
    };
    let scorer = "A scoring profile; without it the one that ranks.";
    let scorer = choice("scorer", scorer, scoring::ScoringProfile::ALL.map(|profile| profile.name));
    let items = "Counts, times and conditions of every item as Parquet; never text.";
    let elsewhere = "Tables published elsewhere; nothing of them ran here.";
    vec![
        operation("get", "/api/v1/compare", "compareResults", "results", "Two models on the same items.")
            .with([model("a"), model("b"), profile()])
            .json::<ComparisonJson<'_>>(schemas, 200, "How A compares with B, with paired intervals.")
            .refused([400, 404, 422, 503]),
        operation("get", "/api/v1/results/{attempt}", "getResult", "results", "One published result.")
            .with([id_of("attempt", "the attempt")])
            .json::<ResultJson<'_>>(schemas, 200, "Who, what and how it ran.")
            .refused([404]),
        operation("get", "/api/v1/results/{attempt}/items.parquet", "getItems", "results", items)
            .with([id_of("attempt", "the attempt"), scorer])
            .answers(200, "One row an item.", PARQUET, &file())
            .refused([400, 404, 503]),
        operation("get", "/api/v1/external", "listTablesElsewhere", "results", elsewhere)
            .json::<ExternalBoards>(schemas, 200, "The tables."),
        operation("get", "/api/v1/self-reported", "listSelfReports", "results", "Unverified results.")
            .about("Their senders vouch for them alone; none of them is on a board.")
            .json::<SelfReports<'_>>(schemas, 200, "The results."),
    ]
}

fn queue(schemas: &mut Schemas) -> Vec<Operation> {
    let tally = "How many submissions are where, for how long, and which are late.";
    vec![
        operation("get", "/api/v1/queue", "getQueue", "queue", tally)
            .json::<QueueJson>(schemas, 200, "The states.")
            .refused([503]),
        operation(
            "get",
            "/api/v1/submissions/{submission}",
            "getSubmission",
            "queue",
            "Where a submission stands.",
        )
        .with([id_of("submission", "the submission")])
        .json::<SubmissionJson>(schemas, 200, "The submission.")
        .refused([404, 503]),
    ]
}

fn submissions(schemas: &mut Schemas) -> Vec<Operation> {
    let report = "Hands in what `ffasr eval --json` prints.";
    vec![
        operation("post", "/api/v1/submissions", "submitModel", "submissions", "Hands in a model.")
            .about(
                "The fields of the form at `/submit`. `check` with any text checks all and changes nothing.",
            )
            .with_token()
            .takes("multipart/form-data", &form())
            .json::<PreviewJson>(schemas, 200, "With `check`: what the submission would be.")
            .json::<SubmissionJson>(schemas, 201, "It was taken; `Location` says where it is.")
            .refused([400, 403, 404, 409, 413, 422, 429, 503]),
        operation("post", "/api/v1/self-reported", "sendSelfReport", "submissions", report)
            .with_token()
            .takes("application/json", &Schemas::sent::<SelfReport>())
            .json::<SelfReportTaken>(schemas, 201, "It was taken.")
            .refused([400, 403, 409, 413, 415, 422, 503]),
    ]
}

fn form() -> Value {
    let text = |words: &str| json!({"type": "string", "description": words});
    let file = |words: &str| json!({"type": "string", "contentMediaType": "application/octet-stream", "description": words});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "name": text("Public name of the model, unique on the board."),
            "organisation": text("Who stands behind it."),
            "licence": text("An SPDX expression where there is one."),
            "runtime": text("The runtime it runs in."),
            "release": text("The release to be ranked on."),
            "num_params": text("Number of parameters."),
            "decoding": text("Settings of the runtime, as TOML."),
            "training_data": text("What it was trained on."),
            "notes": text("Anything a reader should know."),
            "manifest": text("A whole `ffasr.toml` in the place of the fields above."),
            "manifest_file": file("The same as a file."),
            "files": {"type": "array", "items": file("A file of the model, or an archive of them.")},
            "evaluator": file("A Python file that defines `evaluate`."),
            "hub_model": text("Id of a model on the hub."),
            "hub_revision": text("Branch, tag or commit there."),
            "hub_files": text("Which of its files, as patterns."),
            "hub_token": text("A token for a private model; used for the fetch alone."),
            "uploaded": {"type": "array", "items": text("Id of a file that was sent ahead.")},
            "revises": text("Id of the submission that this replaces."),
            "tracks": {"type": "array", "items": text("A beta track that it takes part in.")},
            "keep_files": text("With any text: the files of the submission that this revises."),
            "check": text("With any text: check only."),
        },
    })
}

fn uploads(schemas: &mut Schemas) -> Vec<Operation> {
    const ONE: &str = "/api/v1/uploads/{upload}";
    let id = || id_of("upload", "the upload");
    let named =
        |method, path, name, summary| operation(method, path, name, "submissions", summary).with_token();
    vec![
        named("post", "/api/v1/uploads", "beginUpload", "Begins or resumes a large file sent in parts.")
            .takes("application/json", &Schemas::sent::<Begin>())
            .json::<UploadJson>(schemas, 201, "Where it is and which parts are there.")
            .refused([400, 403, 409, 413, 415, 422, 503]),
        named("get", ONE, "getUpload", "Where a large file is, and which of its parts are there.")
            .with([id()])
            .json::<UploadJson>(schemas, 200, "The upload.")
            .refused([404, 503]),
        named("delete", ONE, "abandonUpload", "Gives a large file up.")
            .with([id()])
            .done(204, "It is gone.")
            .refused([403, 404, 409, 503]),
        named("post", "/api/v1/uploads/{upload}/parts", "addressParts", "Where to `PUT` these parts.")
            .with([id()])
            .takes("application/json", &Schemas::sent::<WantedParts>())
            .json::<Addresses>(schemas, 200, "An address a part, good for an hour.")
            .refused([400, 403, 404, 409, 413, 415, 422, 503]),
        named("post", "/api/v1/uploads/{upload}/complete", "completeUpload", "Says that all parts are sent.")
            .with([id()])
            .takes("application/json", &Schemas::sent::<Sent>())
            .json::<UploadJson>(schemas, 202, "It is being checked.")
            .refused([400, 403, 404, 409, 413, 415, 422, 503]),
    ]
}
