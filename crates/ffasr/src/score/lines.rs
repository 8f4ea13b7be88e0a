//! JSON lines: read with a limit and the line number at hand, and written.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest line in bytes: hours of speech in one item stay far below.
pub(super) const LONGEST_LINE: u64 = 8 << 20;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The input is not what it should be.
    #[error("{file}line {line}: {problem}")]
    Input {
        /// The file and a blank, or nothing for standard input.
        file: String,
        /// Line number from 1.
        line: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The files do not belong together.
    #[error("{0}")]
    Mismatch(String),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    /// 2 for bad input, 1 for anything else.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::Io(_)) { 1 } else { 2 })
    }

    /// Whether whoever reads our output has seen enough.
    pub(super) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Bad input in the line being handled; the reader adds the number.
    pub(super) fn here(problem: impl Into<String>) -> Self {
        Self::Input { file: String::new(), line: 0, problem: problem.into() }
    }

    fn at(self, number: usize) -> Self {
        match self {
            Self::Input { file, line: 0, problem } => Self::Input { file, line: number, problem },
            other => other,
        }
    }

    /// Names the file that the input is from.
    pub(super) fn in_file(self, name: &str) -> Self {
        match self {
            Self::Input { line, problem, .. } => Self::Input { file: format!("{name} "), line, problem },
            other => other,
        }
    }
}

/// Reads every line that is not blank as JSON and hands it on.
pub(super) fn for_each_line<T: DeserializeOwned>(
    mut input: impl BufRead,
    mut handle: impl FnMut(T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = input.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        parse(&line)
            .and_then(|value| value.map_or(Ok(()), &mut handle))
            .map_err(|failure| failure.at(number))?;
    }
    Ok(())
}

/// The JSON value of a line; `None` for a blank one.
fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<Option<T>, Failure> {
    if line.len() as u64 > LONGEST_LINE {
        let limit = LONGEST_LINE >> 20;
        return Err(Failure::here(format!("longer than {limit} MiB; split the item into utterances")));
    }
    let text = str::from_utf8(line)
        .map_err(|error| Failure::here(format!("not UTF-8 from byte {} on", error.valid_up_to() + 1)))?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| {
        // The parser sees one line only; its own line number would mislead.
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        Failure::here(format!("{message} (column {})", error.column()))
    })
}

/// Writes a value as one line.
pub(super) fn write_line(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

/// Remembers ids by a 64-bit fingerprint, so that memory does not grow with their length.
#[derive(Default)]
pub(super) struct SeenIds {
    hasher: RandomState,
    seen: HashSet<u64>,
}

impl SeenIds {
    /// Refuses an id that was there before.
    pub(super) fn insert(&mut self, id: &str) -> Result<(), Failure> {
        if self.seen.insert(self.hasher.hash_one(id)) {
            Ok(())
        } else {
            Err(Failure::here(format!("the id {id:?} occurs twice; ids must be unique")))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Item {
        id: String,
        r#ref: String,
    }

    proptest! {
        #[test]
        fn damaged_lines_are_read_or_refused_with_their_number(
            damage in vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..8),
        ) {
            let mut bytes = "{\"id\":\"a\",\"ref\":\"caf\u{e9} \\u00e9\"}\n\n{\"id\":\"b\",\"ref\":\"\"}\n".as_bytes().to_vec();
            for (place, byte, insert) in damage {
                let at = place.index(bytes.len());
                if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
            }
            let lines = bytes.split(|byte| *byte == b'\n').count();
            let mut items = 0;
            let read = for_each_line(bytes.as_slice(), |item: Item| {
                items += usize::from(item.id.len() + item.r#ref.len() < 100);
                Ok(())
            });
            prop_assert!(items <= lines);
            if let Err(failure) = read {
                let message = failure.to_string();
                let number: usize = message.strip_prefix("line ").unwrap().split(':').next().unwrap().parse().unwrap();
                prop_assert!((1..=lines).contains(&number), "{}", message);
            }
        }
    }
}
