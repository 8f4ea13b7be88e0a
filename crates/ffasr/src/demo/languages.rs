//! Small releases in other languages than English, from the sister packages of the demo's prompts: built and verified, not
//! evaluated, as there is no recogniser for them at hand.
//!
//! They lie below the data directory for `ffasr eval`, which scores them with the normaliser `basic`.

use std::{fs, path::Path};

use benchmark::{
    corpus::{Corpus, Import, PROMPT_LANGUAGES, PromptLanguage, import},
    release::{ReleaseManifest, ReleaseSpec, build, verify},
};

use crate::{
    error::Failure,
    progress::{percent, step},
};

/// Utterances of each track: enough to show that it works.
const ITEMS: usize = 4;

/// Builds what is not there yet, of every language whose prompts are installed.
pub(super) fn build_all(data: &Path) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for language in PROMPT_LANGUAGES.iter().filter(|language| language.code != "en") {
        if language.is_installed() {
            build_one(data, language)?;
        } else {
            missing.push(language.code);
        }
    }
    if !missing.is_empty() {
        let missing = missing.join(", ");
        eprintln!(
            "  no releases in {missing}: the packages asterisk-core-sounds-LANGUAGE-g722 are not installed"
        );
    }
    Ok(())
}

fn build_one(data: &Path, language: &PromptLanguage) -> Result<(), Failure> {
    let code = language.code;
    let corpus = data.join(format!("corpora/asterisk-prompts-{code}"));
    let release = data.join(format!("releases/demo-{code}"));
    let spec = ReleaseSpec::demo_in(code).map_err(Failure::failed)?;
    let present = ReleaseManifest::read(&release).ok();
    if present.is_some_and(|manifest| manifest.release.spec == spec) {
        return Ok(());
    }
    step(&format!(
        "rendering a small release in {} ({ITEMS} utterances, {} tracks)",
        language.tag,
        spec.tracks.len()
    ));
    if Corpus::open(&corpus).is_err() {
        let what = Import::debian_prompts_of(code)
            .ok_or_else(|| Failure::failed(format!("there are no prompts in `{code}`")))?;
        import(&what, &corpus, &percent("importing")).map_err(Failure::failed)?;
    }
    if release.exists() {
        let removed = fs::remove_dir_all(&release);
        removed
            .map_err(|error| Failure::failed(format!("{} cannot be removed: {error}", release.display())))?;
    }
    build(&spec, &corpus, &release, ITEMS, &percent("rendering")).map_err(Failure::failed)?;
    verify(&release).map_err(Failure::failed)?;
    Ok(())
}
