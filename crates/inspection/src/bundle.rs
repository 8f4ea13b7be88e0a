//! An uploaded bundle: its files and what is to be said about them.

use std::io::{Read, Seek};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    archive::{self, Limits},
    file_kind::FileKind,
    finding::{Finding, Rule, Severity},
    weights,
};

/// Text of source code and configurations is kept for reviewers up to this many bytes a file.
const TEXT_BYTES: usize = 256 * 1024;
/// Enough to tell the kind of a file.
const HEAD_BYTES: usize = 512;

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectedFile {
    /// Path in the archive.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
    /// What it is.
    pub kind: FileKind,
    /// Content of manifests, source code, configurations and licences of at most 256 KiB, for a reviewer to read.
    pub text: Option<String>,
}

/// What was found in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BundleReport {
    /// The files, in the archive's order, as far as it was read.
    pub files: Vec<InspectedFile>,
    /// What is to be said about them, the heaviest first.
    pub findings: Vec<Finding>,
    /// Number of parameters, where all weights are safetensors.
    pub num_params: Option<u64>,
}

impl BundleReport {
    /// Whether the bundle cannot be taken.
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity() == Severity::Refusal)
    }

    /// The text of the manifest.
    pub fn manifest(&self) -> Option<&str> {
        self.files.iter().find(|file| file.kind == FileKind::Manifest)?.text.as_deref()
    }
}

/// Looks through a bundle. Always answers: what cannot be read is a finding too.
pub fn inspect_bundle<R: Read + Seek>(bundle: R, limits: &Limits) -> BundleReport {
    let mut report = BundleReport::default();
    let mut parameters = Some(0_u64);
    let walked = archive::walk(bundle, limits, &mut |path, content| {
        let (file, head) = read(path, content)?;
        match file.kind {
            FileKind::Safetensors => match weights::parameters(&head, file.bytes) {
                Ok(count) => parameters = parameters.and_then(|sum| sum.checked_add(count)),
                Err(sentence) => report.findings.push(Finding::new(Rule::DamagedWeights, path, sentence)),
            },
            kind if kind.may_be_weights() => parameters = None,
            _ => {}
        }
        report.findings.extend(about(&file));
        report.files.push(file);
        Ok(())
    });
    match walked {
        Ok(()) => report.findings.extend(about_all(&report.files)),
        // Half an archive says nothing about what is missing.
        Err(finding) => report.findings.push(finding),
    }
    report.num_params = parameters.filter(|&count| count > 0);
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    report
}

/// The files of a bundle that [`inspect_bundle`] did not refuse under the same limits, with their paths, in memory.
///
/// # Errors
/// The finding that the inspection would have, when the bundle breaks a limit or a rule after all.
pub fn unpack_bundle<R: Read + Seek>(bundle: R, limits: &Limits) -> Result<Vec<(String, Vec<u8>)>, Finding> {
    let mut files = Vec::new();
    visit_bundle(bundle, limits, &mut |path, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        files.push((path.to_owned(), bytes));
        Ok(())
    })?;
    Ok(files)
}

/// The same, one file after another: calls `visit` with the path and the content of each.
///
/// # Errors
/// As [`unpack_bundle`], and when `visit` fails.
pub fn visit_bundle<R: Read + Seek>(
    bundle: R,
    limits: &Limits,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> std::io::Result<()>,
) -> Result<(), Finding> {
    archive::walk(bundle, limits, &mut |path, content| {
        visit(path.strip_prefix("./").unwrap_or(path), content)
    })
}

/// What a file of `bytes` bytes that begins with `head` calls for, outside of any archive. A head that is not the whole
/// file tells what kind of file it is; what can only be said of the whole is then not said.
pub fn inspect_file(name: &str, head: &[u8], bytes: u64) -> (FileKind, Option<Finding>) {
    let kind = FileKind::of(name, head.get(..HEAD_BYTES).unwrap_or(head));
    let is_whole = head.len() as u64 == bytes;
    let finding = match kind {
        FileKind::Archive => Some(Finding::new(Rule::NestedArchive, name, "The file is an archive.")),
        FileKind::Safetensors if is_whole || weights::holds_header(head) => {
            weights::parameters(head.get(..weights::LONGEST_HEADER + 8).unwrap_or(head), bytes)
                .err()
                .map(|sentence| Finding::new(Rule::DamagedWeights, name, sentence))
        }
        // An evaluator has an inspection of its own, and the rest of the code is read beside it.
        FileKind::Python => None,
        kind => {
            let text = (kind == FileKind::Configuration && is_whole && head.len() <= TEXT_BYTES)
                .then(|| String::from_utf8(head.to_vec()).ok())
                .flatten();
            about(&InspectedFile { path: name.to_owned(), bytes, sha256: String::new(), kind, text })
        }
    };
    (kind, finding)
}

/// Reads a file to its end, keeping no more of it than is needed.
fn read(path: &str, content: &mut dyn Read) -> std::io::Result<(InspectedFile, Vec<u8>)> {
    let mut head = Vec::new();
    content.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let kind = FileKind::of(path, &head);
    let keep = match kind {
        FileKind::Safetensors => weights::LONGEST_HEADER + 8,
        FileKind::Manifest | FileKind::Python | FileKind::Configuration | FileKind::Licence => TEXT_BYTES + 1,
        _ => HEAD_BYTES,
    };
    if keep > HEAD_BYTES && head.len() == HEAD_BYTES {
        content.take((keep - HEAD_BYTES) as u64).read_to_end(&mut head)?;
    }
    let mut hasher = Sha256::new();
    hasher.update(&head);
    let rest = std::io::copy(content, &mut hasher)?;
    let text = (keep == TEXT_BYTES + 1 && head.len() <= TEXT_BYTES)
        .then(|| String::from_utf8(head.clone()).ok())
        .flatten();
    let file = InspectedFile {
        path: path.strip_prefix("./").unwrap_or(path).to_owned(),
        bytes: head.len() as u64 + rest,
        sha256: hex::encode(hasher.finalize()),
        kind,
        text,
    };
    Ok((file, head))
}

/// What one file calls for.
fn about(file: &InspectedFile) -> Option<Finding> {
    let finding = |rule, sentence: &str| Some(Finding::new(rule, &file.path, sentence));
    match file.kind {
        FileKind::Pickle => {
            finding(Rule::PickledWeights, "The weights are a pickle, which executes code when loaded.")
        }
        FileKind::NativeCode => finding(Rule::NativeCode, "The file is machine or byte code."),
        FileKind::Archive => finding(Rule::NestedArchive, "The file is an archive inside the archive."),
        FileKind::Python => finding(Rule::PythonCode, "The bundle brings Python code."),
        FileKind::Configuration if points_to_code(file.text.as_deref()) => finding(
            Rule::RemoteCode,
            "The configuration has an `auto_map`, which points to code that comes with the model.",
        ),
        _ => None,
    }
}

/// Whether a configuration in the manner of the transformers library names classes outside of it.
fn points_to_code(text: Option<&str>) -> bool {
    let configuration = text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    configuration.is_some_and(|configuration| configuration.get("auto_map").is_some())
}

/// What the files call for together.
fn about_all(files: &[InspectedFile]) -> Vec<Finding> {
    let has = |wanted: fn(FileKind) -> bool| files.iter().any(|file| wanted(file.kind));
    let mut findings = Vec::new();
    if !has(|kind| kind == FileKind::Manifest) {
        findings.push(Finding::new(
            Rule::NoManifest,
            "",
            "There is no ffasr.toml at the top of the archive.",
        ));
    }
    if !has(FileKind::may_be_weights) {
        findings.push(Finding::new(Rule::NoWeights, "", "No file looks like the weights of a model."));
    }
    if !has(|kind| kind == FileKind::Licence) {
        findings.push(Finding::new(Rule::NoLicenceFile, "", "No file states the licence."));
    }
    findings
}
