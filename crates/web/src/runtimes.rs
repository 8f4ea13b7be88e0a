//! The runtimes this service accepts submissions for: the declarations of `deploy/runtimes`, compiled in.

use std::sync::LazyLock;

use protocol::{Decoding, DecodingValue, ModelManifest, RuntimeDeclaration, Setting};

/// The setting by which a runtime says that it runs evaluators, and by which a model names its evaluator.
pub(crate) const EVALUATOR_SETTING: &str = "evaluator";

/// The setting by which a model names its front end: a Python file that defines `enhance(samples, rate)`.
pub(crate) const FRONT_END_SETTING: &str = "front_end";

/// The setting by which a model says that it also takes audio in pieces.
const STREAMING_SETTING: &str = "streaming";

/// Name of the runtime that runs evaluators on the packages of any other (`evaluator-NAME`).
const EVALUATOR: &str = "evaluator";

/// One `runtime.toml` a runtime.
const DECLARATIONS: [&str; 7] = [
    include_str!("../../../deploy/runtimes/pocketsphinx/runtime.toml"),
    include_str!("../../../deploy/runtimes/onnx/runtime.toml"),
    include_str!("../../../deploy/runtimes/transformers/runtime.toml"),
    include_str!("../../../deploy/runtimes/faster-whisper/runtime.toml"),
    include_str!("../../../deploy/runtimes/nemo/runtime.toml"),
    include_str!("../../../deploy/runtimes/speechbrain/runtime.toml"),
    include_str!("../../../deploy/runtimes/evaluator/runtime.toml"),
];

static RUNTIMES: LazyLock<Vec<RuntimeDeclaration>> = LazyLock::new(|| {
    // A test below reads every declaration, so nothing is left out here.
    let declared: Vec<RuntimeDeclaration> =
        DECLARATIONS.iter().filter_map(|text| toml::from_str(text).ok()).collect();
    let evaluator = declared.iter().find(|it| it.name == EVALUATOR);
    let combined: Vec<RuntimeDeclaration> = evaluator
        .into_iter()
        .flat_map(|evaluator| {
            let others = declared.iter().filter(|it| !runs_evaluators(it));
            others.map(|other| evaluator.with_packages_of(other))
        })
        .collect();
    // Evaluators are the special case, so they come last.
    let (plain, evaluators): (Vec<_>, Vec<_>) = declared.into_iter().partition(|it| !runs_evaluators(it));
    [plain, evaluators, combined].concat()
});

/// All runtimes, in the order of the form.
pub(crate) fn all() -> &'static [RuntimeDeclaration] {
    &RUNTIMES
}

/// The runtime of this name.
pub(crate) fn find(name: &str) -> Option<&'static RuntimeDeclaration> {
    RUNTIMES.iter().find(|runtime| runtime.name == name)
}

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RUNTIMES.iter().map(|runtime| runtime.name.as_str())
}

/// Whether models of this runtime are evaluators.
pub(crate) fn runs_evaluators(runtime: &RuntimeDeclaration) -> bool {
    matches!(runtime.settings.get(EVALUATOR_SETTING), Some(Setting::File { .. }))
}

/// Whether it is the runtime of evaluators on the packages of another.
pub(crate) fn is_combined(runtime: &RuntimeDeclaration) -> bool {
    runs_evaluators(runtime) && runtime.name != EVALUATOR
}

/// The front end that these settings name.
pub(crate) fn front_end(decoding: &Decoding) -> Option<&str> {
    match decoding.get(FRONT_END_SETTING) {
        Some(DecodingValue::Text(name)) => Some(name),
        _ => None,
    }
}

/// Whether these settings ask for a streamed pass.
pub(crate) fn is_streamed(decoding: &Decoding) -> bool {
    decoding.get(STREAMING_SETTING) == Some(&DecodingValue::Boolean(true))
}

/// Whether two models are one recogniser by their descriptions, the first with a front end and the second without.
pub(crate) fn is_pair(with: &ModelManifest, bare: &ModelManifest) -> bool {
    // A front end cannot be streamed, so the pair may lack what the bare recogniser declares beside.
    let rest = |of: &ModelManifest| {
        let mut rest = of.decoding.clone();
        rest.retain(|name, _| name != FRONT_END_SETTING && name != STREAMING_SETTING);
        rest
    };
    front_end(&with.decoding).is_some()
        && front_end(&bare.decoding).is_none()
        && with.runtime == bare.runtime
        && rest(with) == rest(bare)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_runtime_that_is_declared_is_accepted_and_evaluators_on_each() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/runtimes");
        let mut expected = Vec::new();
        for entry in fs::read_dir(directory).unwrap() {
            let file = entry.unwrap().path().join("runtime.toml");
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let declaration: RuntimeDeclaration = toml::from_str(&text).unwrap();
            if !runs_evaluators(&declaration) {
                expected.push(format!("evaluator-{}", declaration.name));
            }
            expected.push(declaration.name);
        }
        expected.sort();
        let mut found: Vec<&str> = names().collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        assert!(find("evaluator-onnx").is_some_and(runs_evaluators));
        assert!(find("onnx").is_some_and(|it| !runs_evaluators(it)));
    }
}
