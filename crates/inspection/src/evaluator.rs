//! A Python evaluator: whether it keeps the contract `def evaluate(file: Path) -> str`, and what in it a reviewer
//! should look at.
//!
//! Reading code cannot prove that it is harmless; the sandbox is what contains it. This tells a submitter at once what
//! would fail, and a reviewer where to look first.

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use crate::{
    finding::{Finding, Rule, Severity},
    highlight::{parse, visit_all},
};

/// What was found in an evaluator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EvaluatorReport {
    /// What is to be said, the heaviest first.
    pub findings: Vec<Finding>,
    /// The value of `NUM_PARAMS`, where it is a plain number.
    pub num_params: Option<u64>,
    /// Top-level names of what it imports, each once, sorted.
    pub imports: Vec<String>,
}

impl EvaluatorReport {
    /// Whether the evaluator cannot be taken.
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity() == Severity::Refusal)
    }
}

/// Modules that call for a look, and why.
const MODULES: [(&str, Rule); 36] = [
    ("socket", Rule::Network),
    ("ssl", Rule::Network),
    ("http", Rule::Network),
    ("urllib", Rule::Network),
    ("urllib3", Rule::Network),
    ("requests", Rule::Network),
    ("httpx", Rule::Network),
    ("aiohttp", Rule::Network),
    ("ftplib", Rule::Network),
    ("smtplib", Rule::Network),
    ("telnetlib", Rule::Network),
    ("paramiko", Rule::Network),
    ("websockets", Rule::Network),
    ("boto3", Rule::Network),
    ("subprocess", Rule::Subprocess),
    ("multiprocessing", Rule::Subprocess),
    ("pty", Rule::Subprocess),
    ("ctypes", Rule::NativeInterface),
    ("cffi", Rule::NativeInterface),
    ("mmap", Rule::NativeInterface),
    ("gc", Rule::Snooping),
    ("inspect", Rule::Snooping),
    ("psutil", Rule::Snooping),
    ("pwd", Rule::Snooping),
    ("getpass", Rule::Snooping),
    ("pickle", Rule::Unpickling),
    ("cPickle", Rule::Unpickling),
    ("dill", Rule::Unpickling),
    ("joblib", Rule::Unpickling),
    ("shelve", Rule::Unpickling),
    ("marshal", Rule::DynamicCode),
    ("codeop", Rule::DynamicCode),
    ("importlib", Rule::DynamicCode),
    ("builtins", Rule::DynamicCode),
    ("signal", Rule::Clock),
    ("time", Rule::Clock),
];

/// Calls that need a look, by the words of the callee, and why.
const CALLS: [(&str, Rule); 17] = [
    ("eval", Rule::DynamicCode),
    ("exec", Rule::DynamicCode),
    ("compile", Rule::DynamicCode),
    ("__import__", Rule::DynamicCode),
    ("os.system", Rule::Subprocess),
    ("os.popen", Rule::Subprocess),
    ("os.fork", Rule::Subprocess),
    ("os.execv", Rule::Subprocess),
    ("os.execve", Rule::Subprocess),
    ("os.execvp", Rule::Subprocess),
    ("os.kill", Rule::Subprocess),
    ("os.getenv", Rule::Snooping),
    ("os.listdir", Rule::Snooping),
    ("os.walk", Rule::Snooping),
    ("os.scandir", Rule::Snooping),
    ("torch.hub.load", Rule::TrustsRemoteCode),
    ("numpy.load", Rule::Unpickling),
];

/// Looks through an evaluator. Always answers; code that is not Python is a finding.
pub fn inspect_evaluator(source: &str) -> EvaluatorReport {
    let mut report = EvaluatorReport::default();
    let Some(tree) = parse(source) else {
        report.findings.push(Finding::new(Rule::InvalidPython, "", "The file could not be read as Python."));
        return report;
    };
    let mut broken = None;
    visit_all(&tree, &mut |node| {
        if (node.is_error() || node.is_missing()) && broken.is_none() {
            broken = Some(place(node));
        }
        let seen = look_at(node, source);
        if let Some(module) = seen.import {
            report.imports.push(module);
        }
        report.findings.extend(seen.finding);
        true
    });
    if let Some(place) = broken {
        report.findings.push(Finding::new(
            Rule::InvalidPython,
            place,
            "The file is not valid Python from here on.",
        ));
    } else {
        report.findings.extend(contract(tree.root_node(), source));
    }
    let (num_params, finding) = num_params(tree.root_node(), source);
    report.num_params = num_params;
    report.findings.extend(finding);
    report.imports.sort();
    report.imports.dedup();
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    report
}

/// What one node says.
#[derive(Default)]
struct Seen {
    import: Option<String>,
    finding: Option<Finding>,
}

fn look_at(node: Node<'_>, source: &str) -> Seen {
    match node.kind() {
        "dotted_name" | "aliased_import" | "relative_import" => imported(node, source),
        "call" => Seen { finding: called(node, source), ..Seen::default() },
        "attribute" if text(node, source) == "os.environ" => Seen {
            finding: Some(Finding::new(Rule::Snooping, place(node), "Reads the environment.")),
            ..Seen::default()
        },
        "keyword_argument" if compact(node, source) == "trust_remote_code=True" => Seen {
            finding: Some(Finding::new(
                Rule::TrustsRemoteCode,
                place(node),
                "Passes trust_remote_code=True, which runs code that comes with the weights.",
            )),
            ..Seen::default()
        },
        _ => Seen::default(),
    }
}

/// A module that an import statement names.
fn imported(node: Node<'_>, source: &str) -> Seen {
    let Some(statement) = node.parent() else { return Seen::default() };
    let is_module = match statement.kind() {
        "import_statement" => true,
        "import_from_statement" => statement.child_by_field_name("module_name") == Some(node),
        _ => false,
    };
    let name = if node.kind() == "aliased_import" { node.child_by_field_name("name") } else { Some(node) };
    let Some(name) = name.filter(|_| is_module) else { return Seen::default() };
    let module = text(name, source);
    let top = module.split('.').next().unwrap_or_default();
    if top.is_empty() {
        return Seen::default();
    }
    let rule = MODULES.iter().find(|(known, _)| *known == top).map(|(_, rule)| *rule);
    Seen {
        import: Some(top.to_owned()),
        finding: rule.map(|rule| Finding::new(rule, place(node), format!("Imports `{top}`."))),
    }
}

fn called(node: Node<'_>, source: &str) -> Option<Finding> {
    let callee = text(node.child_by_field_name("function")?, source);
    let arguments =
        node.child_by_field_name("arguments").map(|node| compact(node, source)).unwrap_or_default();
    let sentence = |rule| Some(Finding::new(rule, place(node), format!("Calls `{}`.", shortened(callee))));
    if callee == "torch.load" && !arguments.contains("weights_only=True") {
        return sentence(Rule::Unpickling);
    }
    if callee == "open" && ["'/", "\"/"].iter().any(|start| arguments.starts_with(&format!("({start}"))) {
        return Some(Finding::new(Rule::Snooping, place(node), "Opens a file by an absolute path."));
    }
    let rule = CALLS.iter().find(|(known, _)| *known == callee).map(|(_, rule)| *rule)?;
    sentence(rule)
}

/// Whether `evaluate` is there and can be called with one path.
fn contract(module: Node<'_>, source: &str) -> Option<Finding> {
    let mut assigned = None;
    let mut cursor = module.walk();
    // The last definition is the one that counts.
    let mut function = None;
    for child in module.named_children(&mut cursor) {
        let definition = if child.kind() == "decorated_definition" {
            child.child_by_field_name("definition")
        } else {
            Some(child)
        };
        match definition {
            Some(node)
                if node.kind() == "function_definition" && name_of(node, source) == Some("evaluate") =>
            {
                function = Some(node);
            }
            _ => assigned = assigned.or_else(|| binds(child, "evaluate", source).then_some(child)),
        }
    }
    let Some(function) = function else {
        return Some(match assigned {
            Some(node) => Finding::new(
                Rule::UncheckedEvaluate,
                place(node),
                "`evaluate` is not a plain function, so whether it takes one path shows only when it runs.",
            ),
            None => Finding::new(Rule::NoEvaluate, "", "There is no function `evaluate` at the top level."),
        });
    };
    if text(function, source).starts_with("async") {
        return Some(Finding::new(Rule::WrongSignature, place(function), "`evaluate` is asynchronous."));
    }
    let parameters = function.child_by_field_name("parameters")?;
    let mut cursor = parameters.walk();
    let (mut takes, mut required, mut keyword_only) = (0, 0, false);
    for parameter in parameters.named_children(&mut cursor) {
        match parameter.kind() {
            "identifier" | "typed_parameter" if is_splat(parameter) => {
                takes += 1;
                keyword_only = true;
            }
            "identifier" | "typed_parameter" => {
                required += 1;
                takes += usize::from(!keyword_only);
            }
            "default_parameter" | "typed_default_parameter" => takes += usize::from(!keyword_only),
            "list_splat_pattern" => {
                takes += 1;
                keyword_only = true;
            }
            "keyword_separator" => keyword_only = true,
            _ => {}
        }
    }
    (takes == 0 || required > 1).then(|| {
        Finding::new(
            Rule::WrongSignature,
            place(function),
            format!("`evaluate` needs {required} arguments; it is called with one, the path of a recording."),
        )
    })
}

fn is_splat(parameter: Node<'_>) -> bool {
    parameter.named_child(0).is_some_and(|inner| inner.kind() == "list_splat_pattern")
}

/// Whether a top-level statement gives `name` a value in some other way than `def`.
fn binds(statement: Node<'_>, name: &str, source: &str) -> bool {
    match statement.kind() {
        "expression_statement" => assignment(statement, source).is_some_and(|(left, _)| left == name),
        "import_from_statement" => text(statement, source).split_once("import").is_some_and(|(_, names)| {
            names.split(|c: char| !c.is_alphanumeric() && c != '_').any(|n| n == name)
        }),
        "if_statement" | "try_statement" | "with_statement" => {
            text(statement, source).contains("def evaluate(")
        }
        _ => false,
    }
}

/// The name and the value node of a statement `name = value`.
fn assignment<'a, 'tree>(statement: Node<'tree>, source: &'a str) -> Option<(&'a str, Node<'tree>)> {
    let inner = statement.named_child(0).filter(|node| node.kind() == "assignment")?;
    let left = text(inner.child_by_field_name("left")?, source);
    Some((left, inner.child_by_field_name("right")?))
}

/// The value of `NUM_PARAMS`, or that it has to be computed.
fn num_params(module: Node<'_>, source: &str) -> (Option<u64>, Option<Finding>) {
    let mut cursor = module.walk();
    let value = module
        .named_children(&mut cursor)
        .filter(|node| node.kind() == "expression_statement")
        .filter_map(|node| assignment(node, source))
        .filter(|(name, _)| *name == "NUM_PARAMS")
        .last()
        .map(|(_, value)| value);
    let Some(value) = value else { return (None, None) };
    let number = text(value, source).replace('_', "");
    match number.parse::<u64>().ok().or_else(|| whole(number.parse().ok()?)) {
        Some(count) => (Some(count), None),
        None => {
            (None, Some(Finding::new(Rule::ComputedNumParams, place(value), "`NUM_PARAMS` is computed.")))
        }
    }
}

/// A real number such as `1.1e9` as a count.
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
}

fn name_of<'a>(definition: Node<'_>, source: &'a str) -> Option<&'a str> {
    definition.child_by_field_name("name").map(|name| text(name, source))
}

fn text<'a>(node: Node<'_>, source: &'a str) -> &'a str {
    &source[node.byte_range()]
}

fn compact(node: Node<'_>, source: &str) -> String {
    text(node, source).split_whitespace().collect()
}

fn shortened(callee: &str) -> String {
    callee.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn place(node: Node<'_>) -> String {
    format!("line {}", node.start_position().row + 1)
}
