//! Walking through an archive without unpacking it.
//!
//! Formats: tar, tar compressed with gzip, zip. Memory stays bounded by [`Limits`], whatever the archive claims:
//! sizes are counted as they are read, and names longer than [`LONGEST_NAME_RECORD`] are refused before they are read.

use std::{
    collections::HashSet,
    io::{Read, Seek, SeekFrom},
};

use flate2::read::MultiGzDecoder;

use crate::finding::{Finding, Rule};

/// Records that carry a long path (GNU `L`, POSIX `x`) may be this long, in bytes.
const LONGEST_NAME_RECORD: u64 = 64 * 1024;
/// Most folders and the file name in one path.
const DEEPEST_PATH: usize = 17;
const LONGEST_COMPONENT: usize = 255;
/// The end record of a zip file lies within this many bytes of its end (4.3.16 of PKWARE's APPNOTE: 22 bytes and a
/// comment of at most 65 535).
const ZIP_END_REACH: u64 = 22 + 65_535;

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most files and folders.
    pub entries: usize,
    /// Most bytes of all files together, unpacked.
    pub unpacked_bytes: u64,
    /// Most bytes unpacked for each byte of the archive, once 1 MiB has been unpacked.
    pub expansion: u64,
}

impl Default for Limits {
    /// 10 000 entries, 20 GiB, 200 times the archive: weights hardly shrink, so that a real model stays far below.
    fn default() -> Self {
        Self { entries: 10_000, unpacked_bytes: 20 << 30, expansion: 200 }
    }
}

/// Calls `visit` with the path and the content of each regular file, in the archive's order. `visit` must read the
/// content to its end or leave it; either way it is counted.
///
/// The first thing that breaks a rule ends the walk and is returned.
pub(crate) fn walk<R: Read + Seek>(
    mut archive: R,
    limits: &Limits,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> std::io::Result<()>,
) -> Result<(), Finding> {
    let size = archive.seek(SeekFrom::End(0)).map_err(|error| damaged(&error))?;
    archive.rewind().map_err(|error| damaged(&error))?;
    let mut magic = [0; 512];
    let read = read_up_to(&mut archive, &mut magic).map_err(|error| damaged(&error))?;
    archive.rewind().map_err(|error| damaged(&error))?;
    let mut walk = Walk::new(*limits, size);
    if magic.starts_with(b"PK\x03\x04") || magic.starts_with(b"PK\x05\x06") {
        walk.zip(archive, visit)
    } else if magic.starts_with(&[0x1f, 0x8b]) {
        walk.tar(MultiGzDecoder::new(archive), visit)
    } else if read == 512 && &magic[257..262] == b"ustar" {
        walk.tar(archive, visit)
    } else {
        Err(Finding::new(Rule::NotAnArchive, "", "The upload is neither a tar nor a zip archive."))
    }
}

/// What has been seen of an archive so far.
struct Walk {
    limits: Limits,
    archive_bytes: u64,
    entries: usize,
    unpacked: u64,
    /// Paths in lower case.
    seen: HashSet<String>,
}

impl Walk {
    fn new(limits: Limits, archive_bytes: u64) -> Self {
        Self { limits, archive_bytes, entries: 0, unpacked: 0, seen: HashSet::new() }
    }

    fn tar(
        &mut self,
        reader: impl Read,
        visit: &mut dyn FnMut(&str, &mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), Finding> {
        let mut archive = tar::Archive::new(reader);
        let mut long_path = None;
        // Raw: long names are read here, where their length is bounded.
        for entry in archive.entries().map_err(|error| damaged(&error))?.raw(true) {
            let mut entry = entry.map_err(|error| damaged(&error))?;
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() {
                skip_record(&mut entry)?;
                continue;
            }
            if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
                long_path =
                    Some(long_name(&mut entry, kind.is_gnu_longname())?.or(long_path).unwrap_or_default());
                continue;
            }
            let stated = String::from_utf8(entry.path_bytes().into_owned());
            let path = match long_path.take().filter(|path| !path.is_empty()) {
                Some(path) => path,
                None => stated.map_err(|_| unsafe_path("a path that is not UTF-8"))?,
            };
            self.enter(&path)?;
            if kind.is_dir() {
                continue;
            }
            if !kind.is_file() {
                return Err(Finding::new(
                    Rule::NotAFile,
                    path,
                    "The archive holds a link, a device or something else that is not a regular file.",
                ));
            }
            self.read_file(&path, &mut entry, visit)?;
        }
        if self.entries == 0 {
            return Err(Finding::new(Rule::DamagedArchive, "", "The archive holds nothing."));
        }
        Ok(())
    }

    fn zip<R: Read + Seek>(
        &mut self,
        mut reader: R,
        visit: &mut dyn FnMut(&str, &mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), Finding> {
        // The library reads the whole directory at once; how long it is must be known before.
        if zip_entries(&mut reader, self.archive_bytes)? > self.limits.entries as u64 {
            return Err(self.too_many());
        }
        let mut archive = zip::ZipArchive::new(reader).map_err(|error| damaged(&error))?;
        if archive.len() > self.limits.entries {
            return Err(self.too_many());
        }
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| match error {
                zip::result::ZipError::UnsupportedArchive(zip::result::ZipError::PASSWORD_REQUIRED) => {
                    Finding::new(Rule::EncryptedArchive, "", "The archive is encrypted.")
                }
                error => damaged(&error),
            })?;
            let path = std::str::from_utf8(entry.name_raw())
                .map_err(|_| unsafe_path("a path that is not UTF-8"))?
                .to_owned();
            self.enter(&path)?;
            if entry.is_symlink() {
                return Err(Finding::new(Rule::NotAFile, path, "The archive holds a symbolic link."));
            }
            if !entry.is_dir() {
                self.read_file(&path, &mut entry, visit)?;
            }
        }
        Ok(())
    }

    /// Counts an entry and checks its path.
    fn enter(&mut self, path: &str) -> Result<(), Finding> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(self.too_many());
        }
        check_path(path)?;
        // A folder may be listed with or without its slash, but only once.
        if self.seen.insert(path.trim_end_matches('/').to_lowercase()) {
            Ok(())
        } else {
            Err(Finding::new(
                Rule::DuplicatePath,
                path,
                "Two entries have this path, or paths that differ in letter case alone.",
            ))
        }
    }

    fn read_file(
        &mut self,
        path: &str,
        content: &mut dyn Read,
        visit: &mut dyn FnMut(&str, &mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), Finding> {
        let allowed = self
            .limits
            .unpacked_bytes
            .min(self.archive_bytes.saturating_mul(self.limits.expansion).max(1 << 20))
            .saturating_sub(self.unpacked);
        // One byte more than allowed shows that there is more.
        let mut counted = Counted { inner: content.take(allowed + 1), bytes: 0 };
        let visited = visit(path, &mut counted)
            .and_then(|()| std::io::copy(&mut counted, &mut std::io::sink()).map(drop));
        self.unpacked += counted.bytes;
        if counted.bytes > allowed {
            return Err(Finding::new(
                Rule::TooLarge,
                path,
                format!(
                    "Unpacked, the files pass {} bytes, or {} times the size of the archive.",
                    self.limits.unpacked_bytes, self.limits.expansion
                ),
            ));
        }
        visited.map_err(|error| damaged(&error))
    }

    fn too_many(&self) -> Finding {
        Finding::new(
            Rule::TooManyFiles,
            "",
            format!("The archive holds more than {} files and folders.", self.limits.entries),
        )
    }
}

struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// The path in a record that names the next entry; `None` in an extension record about something else.
fn long_name<R: Read>(entry: &mut tar::Entry<'_, R>, gnu: bool) -> Result<Option<String>, Finding> {
    let record = record(entry)?;
    let not_utf8 = || unsafe_path("a path that is not UTF-8");
    if gnu {
        let name = record.split(|&byte| byte == 0).next().unwrap_or_default();
        return String::from_utf8(name.to_vec()).map(Some).map_err(|_| not_utf8());
    }
    let mut path = None;
    for extension in tar::PaxExtensions::new(&record) {
        let extension = extension.map_err(|error| damaged(&error))?;
        match extension.key_bytes() {
            b"path" => {
                path = Some(String::from_utf8(extension.value_bytes().to_vec()).map_err(|_| not_utf8())?);
            }
            // Another size than the header's would let two readers see two archives.
            b"size" | b"linkpath" => {
                return Err(Finding::new(
                    Rule::NotAFile,
                    "",
                    "The archive overrides the size or the kind of an entry in an extension record.",
                ));
            }
            _ => {}
        }
    }
    Ok(path)
}

fn record<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, Finding> {
    let mut record = Vec::new();
    entry.by_ref().take(LONGEST_NAME_RECORD + 1).read_to_end(&mut record).map_err(|error| damaged(&error))?;
    if record.len() as u64 > LONGEST_NAME_RECORD {
        return Err(unsafe_path("a path record of more than 64 KiB"));
    }
    Ok(record)
}

fn skip_record<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<(), Finding> {
    record(entry).map(drop)
}

/// How many entries the end record of a zip file claims; 65 535 stands for that or more.
fn zip_entries<R: Read + Seek>(reader: &mut R, size: u64) -> Result<u64, Finding> {
    let from = size.saturating_sub(ZIP_END_REACH);
    let mut tail = Vec::new();
    reader
        .seek(SeekFrom::Start(from))
        .and_then(|_| reader.by_ref().take(ZIP_END_REACH).read_to_end(&mut tail))
        .and_then(|_| reader.rewind())
        .map_err(|error| damaged(&error))?;
    // More than one candidate: take the largest claim.
    tail.windows(22)
        .filter(|record| record.starts_with(b"PK\x05\x06"))
        .map(|record| u64::from(u16::from_le_bytes([record[10], record[11]])))
        .max()
        .ok_or_else(|| {
            Finding::new(Rule::DamagedArchive, "", "The zip archive has no end; it may be cut short.")
        })
}

/// Refuses every path that could lead out of its folder or that another system could not hold.
fn check_path(path: &str) -> Result<(), Finding> {
    let bad = |what: &str| Err(unsafe_path(what));
    if path.starts_with('/') {
        return bad("an absolute path");
    }
    if path.chars().any(|c| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')) {
        return bad("a path with control or reserved characters");
    }
    let path = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
    let components: Vec<&str> = path.split('/').collect();
    if components.len() > DEEPEST_PATH {
        return bad("a path of more than 16 folders");
    }
    // "./" alone is the top folder itself, which tar likes to list.
    if path.is_empty() || path == "." {
        return Ok(());
    }
    if components.iter().any(|component| matches!(*component, "" | "." | "..")) {
        return bad("a path that steps out of its folder or has an empty part");
    }
    if components.iter().any(|component| component.len() > LONGEST_COMPONENT || component.starts_with('-')) {
        return bad("a path with a part that begins with a dash or is longer than 255 bytes");
    }
    Ok(())
}

fn unsafe_path(what: &str) -> Finding {
    // The path itself is not repeated: it may hold anything.
    Finding::new(Rule::UnsafePath, "", format!("The archive holds {what}."))
}

fn damaged(error: &dyn std::error::Error) -> Finding {
    Finding::new(Rule::DamagedArchive, "", format!("The archive cannot be read to its end: {error}."))
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
