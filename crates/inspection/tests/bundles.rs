//! Archives as strangers make them: good ones, clumsy ones and hostile ones.
#![expect(clippy::unwrap_used, reason = "helpers of a test stop at the first surprise")]

use std::io::{Cursor, Read, Write};

use flate2::{Compression, write::GzEncoder};
use inspection::{BundleReport, FileKind, Limits, Rule, Severity, inspect_bundle};
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};
use zip::{ZipWriter, write::SimpleFileOptions};

const MANIFEST: &str = "name = \"tiny\"\nruntime = \"onnx\"\n";

/// A tar archive with these files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = regular(content.len() as u64);
        // Unchecked: `append_data` would refuse what a stranger may well send.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn regular(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(EntryType::Regular);
    header
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        writer.start_file(*path, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn safetensors() -> Vec<u8> {
    let header = br#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.resize(bytes.len() + 24, 0);
    bytes
}

fn inspect(bytes: &[u8]) -> BundleReport {
    inspect_bundle(Cursor::new(bytes), &Limits::default())
}

fn rules(report: &BundleReport) -> Vec<Rule> {
    report.findings.iter().map(|finding| finding.rule).collect()
}

/// The one refusal of an archive.
#[track_caller]
fn refused(bytes: &[u8], rule: Rule) {
    let report = inspect(bytes);
    assert!(report.is_refused());
    assert_eq!(rules(&report)[0], rule, "{:?}", report.findings);
    assert!(
        report.findings.iter().all(|finding| finding.sentence.ends_with('.') && !finding.advice().is_empty())
    );
}

#[test]
fn a_good_bundle_has_nothing_against_it_in_any_format() {
    let weights = safetensors();
    let files: [(&str, &[u8]); 3] =
        [("ffasr.toml", MANIFEST.as_bytes()), ("model/model.safetensors", &weights), ("LICENSE", b"MIT")];
    for bytes in [tar(&files), gzip(&tar(&files)), zipped(&files)] {
        let report = inspect(&bytes);
        assert_eq!(report.findings, [], "nothing to say");
        assert_eq!(report.manifest(), Some(MANIFEST));
        assert_eq!(report.num_params, Some(6), "2 x 3");
        let kinds: Vec<FileKind> = report.files.iter().map(|file| file.kind).collect();
        assert_eq!(kinds, [FileKind::Manifest, FileKind::Safetensors, FileKind::Licence]);
        // SHA-256 of "MIT", by coreutils' sha256sum.
        assert_eq!(
            report.files[2].sha256,
            "e5dcffe836b6ec8a58e492419b550e65fb8cbdc308503979e5dacb33ac7ea3b7"
        );
    }
}

#[test]
fn what_executes_code_when_loaded_is_shown_to_a_reviewer() {
    let report = inspect(&tar(&[
        ("ffasr.toml", MANIFEST.as_bytes()),
        ("pytorch_model.bin", b"\x80\x04\x95pickled"),
        ("config.json", br#"{"auto_map":{"AutoModel":"modeling.Model"}}"#),
        ("modeling.py", b"class Model: pass\n"),
        ("lib/fast.so", b"\x7fELF"),
        ("inner.zip", &zipped(&[("a", b"b")])),
    ]));
    assert!(!report.is_refused());
    assert_eq!(
        rules(&report),
        [
            Rule::PickledWeights,
            Rule::RemoteCode,
            Rule::NativeCode,
            Rule::NestedArchive,
            Rule::PythonCode,
            Rule::NoLicenceFile
        ]
    );
    assert_eq!(report.num_params, None, "a pickle is not opened to count");
    assert_eq!(report.files[3].text.as_deref(), Some("class Model: pass\n"), "a reviewer reads the code");
}

#[test]
fn the_archive_of_a_folder_has_its_manifest_in_the_folder() {
    let report = inspect(&tar(&[("model/ffasr.toml", b"name = \"m\""), ("model/task.lm", b"\\data\\")]));
    assert_eq!(rules(&report), [Rule::NoWeights, Rule::NoLicenceFile]);
    assert!(!report.is_refused());
    let deeper = inspect(&tar(&[("a/b/ffasr.toml", b"name = \"m\"")]));
    assert_eq!(rules(&deeper)[0], Rule::NoManifest);
}

#[test]
fn a_bundle_without_manifest_or_weights_says_so() {
    let report = inspect(&tar(&[("readme.txt", b"hello")]));
    assert_eq!(rules(&report), [Rule::NoManifest, Rule::NoWeights, Rule::NoLicenceFile]);
    assert_eq!(report.findings[0].severity(), Severity::Refusal);
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for path in ["../evil", "a/../../evil", "/etc/passwd", "a//b", "a/./b", "-rf", "c:\\x", "a\u{1}b"] {
        refused(&tar(&[(path, b"x")]), Rule::UnsafePath);
        refused(&gzip(&tar(&[(path, b"x")])), Rule::UnsafePath);
    }
    refused(&zipped(&[("../evil", b"x")]), Rule::UnsafePath);
    refused(&tar(&[(&"d/".repeat(40), b"x")]), Rule::UnsafePath);
}

#[test]
fn a_path_in_an_extension_record_is_checked_like_any_other() {
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions([("path", &b"../../evil"[..])]).unwrap();
    let mut header = regular(1);
    header.set_path("harmless").unwrap();
    header.set_cksum();
    builder.append(&header, &b"x"[..]).unwrap();
    refused(&builder.into_inner().unwrap(), Rule::UnsafePath);
    // A size beside the header's would show other files to another reader.
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions([("size", &b"512"[..])]).unwrap();
    builder.append(&header, &b"x"[..]).unwrap();
    refused(&builder.into_inner().unwrap(), Rule::NotAFile);
}

#[test]
fn long_but_honest_paths_are_read() {
    let path = format!("{}/model.onnx", "folder-with-a-long-name".repeat(6));
    let mut builder = Builder::new(Vec::new());
    builder.append_data(&mut regular(4), &path, &b"onnx"[..]).unwrap();
    let report = inspect(&builder.into_inner().unwrap());
    assert_eq!(report.files[0].path, path);
}

#[test]
fn links_devices_and_pipes_are_refused() {
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        let mut header = regular(0);
        header.set_entry_type(kind);
        header.set_path("innocent").unwrap();
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        let mut builder = Builder::new(Vec::new());
        builder.append(&header, std::io::empty()).unwrap();
        refused(&builder.into_inner().unwrap(), Rule::NotAFile);
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("innocent", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    refused(&writer.finish().unwrap().into_inner(), Rule::NotAFile);
}

#[test]
fn two_files_that_are_one_on_another_system_are_refused() {
    refused(&tar(&[("Model.onnx", b"x"), ("model.onnx", b"y")]), Rule::DuplicatePath);
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    // 8 MiB of zeros shrink to about a thousandth.
    let zeros = vec![0; 8 << 20];
    for bytes in [gzip(&tar(&[("zeros", &zeros)])), zipped(&[("zeros", &zeros)])] {
        assert!(bytes.len() < 1 << 18, "{}", bytes.len());
        refused(&bytes, Rule::TooLarge);
    }
    let small = Limits { unpacked_bytes: 10, ..Limits::default() };
    let report = inspect_bundle(Cursor::new(tar(&[("a", b"0123456"), ("b", b"0123456")])), &small);
    assert_eq!((rules(&report)[0], report.findings[0].place.as_str()), (Rule::TooLarge, "b"));
}

#[test]
fn a_name_of_many_megabytes_is_refused_without_holding_it() {
    let mut header = regular(4 << 20);
    header.set_entry_type(EntryType::GNULongName);
    header.set_path("././@LongLink").unwrap();
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, std::io::repeat(b'a').take(4 << 20)).unwrap();
    refused(&gzip(&builder.into_inner().unwrap()), Rule::UnsafePath);
}

#[test]
fn too_many_files_are_refused() {
    let names: Vec<String> = (0..20).map(|number| format!("file-{number}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let few = Limits { entries: 19, ..Limits::default() };
    for bytes in [tar(&files), zipped(&files)] {
        let report = inspect_bundle(Cursor::new(bytes), &few);
        assert_eq!(rules(&report), [Rule::TooManyFiles]);
    }
}

#[test]
fn what_is_no_archive_or_half_of_one_is_refused_with_a_reason() {
    refused(b"", Rule::NotAnArchive);
    refused(b"just text", Rule::NotAnArchive);
    let whole = gzip(&tar(&[("ffasr.toml", MANIFEST.as_bytes()), ("w.onnx", &[7; 5_000])]));
    refused(&whole[..whole.len() / 2], Rule::DamagedArchive);
    let whole = zipped(&[("ffasr.toml", MANIFEST.as_bytes())]);
    refused(&whole[..whole.len() - 30], Rule::DamagedArchive);
    refused(&tar(&[]), Rule::NotAnArchive);
}

#[test]
fn weights_that_are_not_what_they_say_are_refused() {
    let mut cut = safetensors();
    cut.truncate(40);
    refused(&tar(&[("ffasr.toml", b""), ("model.safetensors", &cut)]), Rule::DamagedWeights);
}

proptest! {
    #[test]
    fn no_archive_whatever_makes_it_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        which in 0..3_u8,
    ) {
        let weights = safetensors();
        let files: [(&str, &[u8]); 3] = [("ffasr.toml", b"name=1"), ("m.safetensors", &weights), ("e.py", b"x = 1")];
        let mut bytes = match which { 0 => tar(&files), 1 => gzip(&tar(&files)), _ => zipped(&files) };
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let report = inspect(&bytes);
        prop_assert!(report.files.len() <= 16);
    }

    #[test]
    fn no_bytes_whatever_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        inspect(&bytes);
    }
}
