//! The automatic checks of an upload, before anything of it is stored or runs.
//!
//! What is refused is named at its field. What calls for a look is kept as a finding, and the submission waits for a
//! reviewer.

use std::io::Cursor;

use inspection::{FileKind, Limits, Rule, Severity};
use protocol::ModelManifest;
use store::findings::Finding;

use crate::{
    runtimes::{self, EVALUATOR_SETTING, FRONT_END_SETTING, runs_evaluators},
    submit::{self, Content, PinnedSource, Upload, UploadedFile},
    views::{FieldErrors, SubmitForm},
};

/// What an archive may hold when it comes with the form.
const BUNDLE: Limits = Limits { entries: 256, unpacked_bytes: 256 << 20, expansion: 200 };
/// Longer than any evaluator that a person would read.
const EVALUATOR_BYTES: u64 = 256 * 1024;
/// The file of an archive that describes the model.
pub(crate) const MANIFEST: &str = "ffasr.toml";

/// An upload that may be accepted.
pub(crate) struct Checked {
    /// The model.
    pub(crate) manifest: ModelManifest,
    /// What is to be said about it, the heaviest first.
    pub(crate) findings: Vec<Finding>,
    /// The file that is the evaluator.
    pub(crate) evaluator: Option<String>,
    /// Why a person has to look.
    pub(crate) review: Option<String>,
}

/// Checks an upload whose archive is unpacked. Takes a while for a large one: not for an async thread.
pub(crate) fn look(upload: &mut Upload) -> Result<Checked, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut findings = std::mem::take(&mut upload.findings);
    let front_end = front_end_name(upload);
    let evaluator = evaluator_name(upload, front_end.as_deref(), &mut errors);
    if let Some(name) = &evaluator {
        declare(name, upload);
    }
    let manifest = submit::understand(upload);
    inspect(upload, evaluator.as_deref(), &mut findings, &mut errors);
    check_front_end(upload, front_end.as_deref(), &mut errors);
    let manifest = match manifest {
        Ok(manifest) if errors.is_empty() => manifest,
        other => {
            let mut all = other.err().unwrap_or_default();
            errors.all().iter().for_each(|(field, message)| all.add(field, message));
            return Err(all);
        }
    };
    let runtime = runtimes::find(&manifest.runtime);
    if evaluator.is_none() && runtime.is_some_and(runs_evaluators) {
        let mut errors = FieldErrors::default();
        errors.add(
            "evaluator",
            format!(
                "The runtime \u{201c}{}\u{201d} runs an evaluator: hand in a Python file with \u{201c}def evaluate(file: Path) -> str\u{201d}.",
                manifest.runtime
            ),
        );
        return Err(errors);
    }
    if let (Some(name), Some(runtime)) = (&evaluator, runtime)
        && !runs_evaluators(runtime)
    {
        findings.push(Finding {
            severity: Severity::Caution.as_str().to_owned(),
            rule: "evaluator-not-run".to_owned(),
            place: name.clone(),
            sentence: format!("The runtime \u{201c}{}\u{201d} does not run evaluators.", runtime.name),
            advice: "Choose a runtime that has a setting `evaluator`, or leave the file out.".to_owned(),
        });
    }
    // Stable, so that findings of equal weight stay in the order of the files.
    findings.sort_by_key(|finding| !finding.is_caution());
    // A front end is somebody's code as much as an evaluator: a person reads it, in the same place.
    let code = evaluator.map(|name| (name, "an evaluator")).or(front_end.map(|name| (name, "a front end")));
    let review = reason_for_review(&findings, code.as_ref().map(|(_, kind)| *kind));
    Ok(Checked { manifest, findings, evaluator: code.map(|(name, _)| name), review })
}

/// One archive by itself is unpacked: its files count as if they had been chosen one by one, its `ffasr.toml` as the
/// description unless the form gives another.
///
/// # Errors
/// Why it cannot be, at its field.
pub(crate) fn unpack(upload: &mut Upload) -> Result<(), FieldErrors> {
    let [file] = upload.files.as_slice() else { return Ok(()) };
    let Content::Here(content) = &file.content else { return Ok(()) };
    if inspection::inspect_file(&file.name, content, content.len() as u64).0 != FileKind::Archive {
        return Ok(());
    }
    let mut errors = FieldErrors::default();
    let archive = file.name.clone();
    let report = inspection::inspect_bundle(Cursor::new(content), &BUNDLE);
    let described = !upload.form.manifest.trim().is_empty() || !upload.form.name.trim().is_empty();
    for finding in &report.findings {
        let not_needed = finding.rule == Rule::NoManifest && described;
        if finding.severity() == Severity::Refusal && !not_needed {
            errors.add("files", refusal(&archive, finding));
        } else if matches!(finding.rule, Rule::NoWeights | Rule::NoLicenceFile) {
            // What is about one of its files is found again below, under the file's own name.
            upload.findings.push(stored(&archive, finding));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    match inspection::unpack_bundle(Cursor::new(content), &BUNDLE) {
        Ok(files) => {
            upload.files = flat(files, &mut upload.form, described);
            Ok(())
        }
        Err(finding) => {
            errors.add("files", refusal(&archive, &finding));
            Err(errors)
        }
    }
}

/// The files without the one folder that all of them may lie in.
fn flat(files: Vec<(String, Vec<u8>)>, form: &mut SubmitForm, described: bool) -> Vec<UploadedFile> {
    let top = common_folder(files.iter().map(|(path, _)| path.as_str()));
    let mut flat = Vec::with_capacity(files.len());
    for (path, content) in files {
        let name = top.as_deref().and_then(|top| path.strip_prefix(top)).unwrap_or(&path).to_owned();
        if name == MANIFEST {
            if !described && let Ok(text) = String::from_utf8(content) {
                form.manifest = text;
            }
        } else {
            flat.push(UploadedFile::here(name, content));
        }
    }
    flat
}

/// The one folder that all of these may lie in, with a slash at the end.
pub(crate) fn common_folder<'a>(mut paths: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    let top = paths.clone().next()?.split_once('/').map(|(top, _)| format!("{top}/"))?;
    paths.all(|path| path.starts_with(&top)).then_some(top)
}

/// Which file is the evaluator: the one in the field for it, else `evaluator.py`, else the only Python file.
fn evaluator_name(upload: &Upload, front_end: Option<&str>, errors: &mut FieldErrors) -> Option<String> {
    if let Some(name) = &upload.evaluator {
        if !is_python(name) {
            errors.add(
                "evaluator",
                format!("\u{201c}{name}\u{201d} is not a Python file: its name does not end in .py."),
            );
        }
        return Some(name.clone());
    }
    let python: Vec<&str> = handed_in(upload)
        .map(|file| file.name.as_str())
        .filter(|name| is_python(name) && Some(*name) != front_end)
        .collect();
    match python.as_slice() {
        [] => None,
        [only] => Some((*only).to_owned()),
        several if several.contains(&"evaluator.py") => Some("evaluator.py".to_owned()),
        several => {
            errors.add(
                "files",
                format!(
                    "There are {} Python files; name the one that defines `evaluate` evaluator.py, or hand it in by its own field.",
                    several.len()
                ),
            );
            None
        }
    }
}

/// The front end that the decoding settings name, in the description or in the form's field. What cannot be read is
/// refused elsewhere.
fn front_end_name(upload: &Upload) -> Option<String> {
    let (text, place) = match upload.form.manifest.trim() {
        "" => (&upload.form.decoding, None),
        _ => (&upload.form.manifest, Some("decoding")),
    };
    let table: toml::Table = toml::from_str(text).ok()?;
    let settings = place.map_or(Some(&table), |place| table.get(place)?.as_table())?;
    Some(settings.get(FRONT_END_SETTING)?.as_str()?.to_owned())
}

fn check_front_end(upload: &Upload, front_end: Option<&str>, errors: &mut FieldErrors) {
    let file = handed_in(upload).find(|file| Some(file.name.as_str()) == front_end);
    if let Some(file) = file
        && !String::from_utf8_lossy(file.head()).lines().any(|line| line.starts_with("def enhance("))
    {
        errors.add(
            "files",
            format!("{}: A front end defines `enhance(samples, rate)`; this file does not.", file.name),
        );
    }
}

/// What the submitter sent: code that comes along with a hub's model is not an evaluator.
fn handed_in(upload: &Upload) -> impl Iterator<Item = &UploadedFile> {
    upload.files.iter().filter(|file| !file.from_hub)
}

fn is_python(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("py"))
}

/// Names the evaluator in the settings of a runtime that runs one, unless the submitter did.
fn declare(name: &str, upload: &mut Upload) {
    let takes_it = runtimes::find(upload.runtime.trim()).is_some_and(runs_evaluators);
    let line = format!("{EVALUATOR_SETTING} = {name:?}\n");
    if takes_it && upload.form.manifest.trim().is_empty() && !upload.form.decoding.contains(EVALUATOR_SETTING)
    {
        upload.form.decoding.insert_str(0, &line);
    }
}

fn inspect(upload: &Upload, evaluator: Option<&str>, findings: &mut Vec<Finding>, errors: &mut FieldErrors) {
    for file in &upload.files {
        if is_python(&file.name) {
            let is_evaluator = evaluator == Some(file.name.as_str());
            let field =
                if upload.evaluator.as_ref() == Some(&file.name) { "evaluator" } else { files_field(file) };
            python(file, is_evaluator, field, findings, errors);
            if file.from_hub {
                findings.push(hub_code(&file.name));
            }
            continue;
        }
        if let Some(finding) = inspection::inspect_file(&file.name, file.head(), file.bytes()).1 {
            if finding.severity() == Severity::Refusal {
                errors.add(files_field(file), refusal(&file.name, &finding));
            } else {
                findings.push(stored(&file.name, &finding));
            }
        }
    }
}

/// The field that a file was chosen in.
fn files_field(file: &UploadedFile) -> &'static str {
    if file.from_hub { "hub_files" } else { "files" }
}

fn hub_code(name: &str) -> Finding {
    Finding {
        severity: Severity::Caution.as_str().to_owned(),
        rule: "hub-code".to_owned(),
        place: name.to_owned(),
        sentence: "The model on the hub brings Python code.".to_owned(),
        advice: "Leave it out by naming the files that are needed, if the runtime does without it."
            .to_owned(),
    }
}

/// Notes which commit was found, and where the hub and the submitter differ about the licence.
pub(crate) fn add_pinned(checked: &mut Checked, pinned: &PinnedSource) {
    let Some(hub) = &mut checked.manifest.hub else { return };
    hub.revision.clone_from(&pinned.commit);
    let stated = &checked.manifest.licence;
    if let Some(licence) = pinned.licence.as_ref().filter(|licence| !licence.eq_ignore_ascii_case(stated)) {
        checked.findings.push(Finding {
            severity: Severity::Note.as_str().to_owned(),
            rule: "licence-differs".to_owned(),
            place: hub.model.clone(),
            sentence: format!(
                "The hub states the licence as \u{201c}{}\u{201d}, the description as \u{201c}{stated}\u{201d}.",
                licence.replace(char::is_control, " ").chars().take(100).collect::<String>()
            ),
            advice: "State the licence under which the weights are given out.".to_owned(),
        });
    }
}

/// Notes that a model of the same content is here already under another name.
pub(crate) fn add_likeness(checked: &mut Checked, other: &str) {
    checked.findings.push(Finding {
        severity: Severity::Note.as_str().to_owned(),
        rule: "duplicate".to_owned(),
        place: String::new(),
        sentence: format!(
            "It is what \u{201c}{other}\u{201d} is: the same files, the same runtime and the same settings."
        ),
        advice: "If it is meant to be another model, check that the right files and settings were handed in."
            .to_owned(),
    });
}

/// Python is read for what a reviewer should see; the evaluator must keep its contract as well.
fn python(
    file: &UploadedFile,
    is_evaluator: bool,
    field: &str,
    findings: &mut Vec<Finding>,
    errors: &mut FieldErrors,
) {
    if file.bytes() > EVALUATOR_BYTES {
        errors.add(
            field,
            format!("\u{201c}{}\u{201d} has more than 256 KiB; nobody could read it.", file.name),
        );
        return;
    }
    let Ok(source) = std::str::from_utf8(file.head()) else {
        errors.add(field, format!("\u{201c}{}\u{201d} is not UTF-8 text.", file.name));
        return;
    };
    for finding in inspection::inspect_evaluator(source).findings {
        let of_the_contract =
            matches!(finding.rule, Rule::NoEvaluate | Rule::WrongSignature | Rule::UncheckedEvaluate);
        if of_the_contract && !is_evaluator {
            continue;
        }
        if finding.severity() == Severity::Refusal {
            errors.add(field, refusal(&file.name, &finding));
        } else {
            findings.push(stored(&file.name, &finding));
        }
    }
}

/// Where, what, and what to do, for the form.
pub(crate) fn refusal(file: &str, finding: &inspection::Finding) -> String {
    format!("{}: {} {}", place(file, &finding.place), finding.sentence, finding.advice())
}

fn place(file: &str, within: &str) -> String {
    if within.is_empty() || within == file { file.to_owned() } else { format!("{file}, {within}") }
}

pub(crate) fn stored(file: &str, finding: &inspection::Finding) -> Finding {
    let rule = serde_json::to_value(finding.rule).ok();
    Finding {
        severity: finding.severity().as_str().to_owned(),
        rule: rule.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
        place: place(file, &finding.place),
        // Quotes of the source may hold what the database cannot.
        sentence: finding.sentence.replace('\0', "\u{fffd}"),
        advice: finding.advice().to_owned(),
    }
}

/// `code` is what kind of code comes along, in words.
fn reason_for_review(findings: &[Finding], code: Option<&str>) -> Option<String> {
    let cautions = findings.iter().filter(|finding| finding.is_caution()).count();
    match (code, cautions) {
        (Some(code), 0) => Some(format!("It brings {code}, which a person reads before it runs.")),
        (Some(code), count) => Some(format!(
            "It brings {code}, which a person reads before it runs; {count} of the findings below call for a look."
        )),
        (None, 0) => None,
        (None, 1) => {
            Some("One of the findings below calls for a look by a person before it runs.".to_owned())
        }
        (None, count) => {
            Some(format!("{count} of the findings below call for a look by a person before it runs."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "def evaluate(file):\n    return ''\n";

    /// Both steps, as [`submit::take`] does them.
    fn look(upload: &mut Upload) -> Result<Checked, FieldErrors> {
        unpack(upload)?;
        super::look(upload)
    }

    fn upload(files: &[(&str, &[u8])]) -> Upload {
        Upload {
            form: SubmitForm {
                name: "m".to_owned(),
                organisation: "o".to_owned(),
                licence: "MIT".to_owned(),
                ..SubmitForm::default()
            },
            runtime: "pocketsphinx".to_owned(),
            files: files
                .iter()
                .map(|(name, content)| UploadedFile::here((*name).to_owned(), content.to_vec()))
                .collect(),
            ..Upload::default()
        }
    }

    #[test]
    fn plain_files_need_no_review() {
        let checked = look(&mut upload(&[("task.lm", b"\\data\\"), ("words.dict", b"A AH")])).ok().unwrap();
        assert_eq!((checked.findings, checked.review, checked.evaluator), (Vec::new(), None, None));
    }

    #[test]
    fn a_pickle_is_taken_but_a_person_looks_first() {
        let checked = look(&mut upload(&[("model.pt", &[0x80, 4])])).ok().unwrap();
        assert_eq!(checked.findings.len(), 1);
        assert_eq!(
            (checked.findings[0].rule.as_str(), checked.findings[0].place.as_str()),
            ("pickled-weights", "model.pt")
        );
        assert!(checked.review.unwrap().starts_with("One of the findings"));
    }

    #[test]
    fn an_evaluator_is_found_in_its_field_by_its_name_or_as_the_only_python_file() {
        let found =
            |files: &[(&str, &[u8])]| look(&mut upload(files)).ok().and_then(|checked| checked.evaluator);
        assert_eq!(found(&[("mine.py", GOOD.as_bytes())]).as_deref(), Some("mine.py"));
        assert_eq!(
            found(&[("helper.py", b"X = 1\n"), ("evaluator.py", GOOD.as_bytes())]).as_deref(),
            Some("evaluator.py"),
            "a helper needs no evaluate"
        );
        let errors = look(&mut upload(&[("a.py", b""), ("b.py", b"")])).err().unwrap();
        assert!(errors.of("files").unwrap().contains("2 Python files"));
    }

    #[test]
    fn a_front_end_is_no_evaluator_and_is_read_by_a_person() {
        let with = |code: &str| {
            let mut upload = upload(&[("spectral.py", code.as_bytes())]);
            upload.form.decoding = "front_end = \"spectral.py\"\n".to_owned();
            look(&mut upload)
        };
        let checked = with("def enhance(samples, rate):\n    return samples\n").ok().unwrap();
        assert_eq!(checked.evaluator.as_deref(), Some("spectral.py"), "its source is shown to the reviewer");
        assert_eq!(
            checked.review.as_deref(),
            Some("It brings a front end, which a person reads before it runs.")
        );
        assert!(checked.findings.iter().all(|finding| finding.rule != "evaluator-not-run"));
        let errors = with("def improve(samples):\n    return samples\n").err().unwrap();
        assert!(errors.of("files").unwrap().contains("enhance(samples, rate)"));
    }

    #[test]
    fn an_evaluator_that_breaks_the_contract_is_refused_at_its_field_with_line_and_advice() {
        let mut broken = upload(&[("mine.py", b"import os\ndef evaluate(a, b):\n    return ''\n")]);
        broken.evaluator = Some("mine.py".to_owned());
        let errors = look(&mut broken).err().unwrap();
        let message = errors.of("evaluator").unwrap();
        assert!(message.starts_with("mine.py, line 2:"), "{message}");
        assert!(message.contains("exactly one argument"), "{message}");
    }

    #[test]
    fn what_is_suspicious_is_a_finding_with_its_line() {
        let source = format!("import socket\n{GOOD}");
        let checked = look(&mut upload(&[("mine.py", source.as_bytes())])).ok().unwrap();
        assert!(
            checked
                .findings
                .iter()
                .any(|finding| finding.rule == "network" && finding.place == "mine.py, line 1")
        );
        assert!(checked.findings.iter().any(|finding| finding.rule == "evaluator-not-run"));
    }

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    const MANIFEST: &[u8] =
        b"name = \"packed\"\norganisation = \"o\"\nlicence = \"MIT\"\nruntime = \"pocketsphinx\"\n[decoding]\nlm = \"task.lm\"\n";

    #[test]
    fn an_archive_counts_as_the_files_in_it_and_brings_its_description() {
        let archive = tar(&[("model/ffasr.toml", MANIFEST), ("model/task.lm", b"\\data\\")]);
        // A description in a folder is found as well: the folder is taken away.
        let mut bundle = upload(&[("model.tar", &archive)]);
        bundle.form = SubmitForm {
            name: "by hand".to_owned(),
            organisation: "o".to_owned(),
            licence: "MIT".to_owned(),
            ..SubmitForm::default()
        };
        assert_eq!(look(&mut bundle).ok().unwrap().manifest.name, "by hand", "the form counts");
        assert_eq!(bundle.files.len(), 1);
        let archive = tar(&[("ffasr.toml", MANIFEST), ("task.lm", b"\\data\\")]);
        let mut bundle = Upload { form: SubmitForm::default(), ..upload(&[("model.tar", &archive)]) };
        assert_eq!(look(&mut bundle).ok().unwrap().manifest.name, "packed");
        assert_eq!(bundle.files[0].name, "task.lm");
    }

    #[test]
    fn an_archive_that_expands_too_far_is_refused_at_the_files() {
        let zeros = tar(&[("ffasr.toml", MANIFEST), ("zeros", &vec![0; 8 << 20])]);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &zeros).unwrap();
        let bomb = encoder.finish().unwrap();
        let errors = look(&mut upload(&[("bomb.tar.gz", &bomb)])).err().unwrap();
        assert!(errors.of("files").unwrap().contains("Unpacked"), "{:?}", errors.of("files"));
    }
}
