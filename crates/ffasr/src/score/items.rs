//! `ffasr score items`: per-item results from a Parquet file, and reading such files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use item_results::ItemResult;
use scoring::Counts;

use super::BootstrapArgs;
use super::lines::{Failure, write_line};
use super::wer::{self, Scored};

/// Largest file that is read: a hundred times what an attempt of many tracks needs.
const LARGEST_FILE: u64 = 256 << 20;
/// How a Parquet file begins.
const MAGIC: &[u8; 4] = b"PAR1";

/// Arguments of `ffasr score items`.
#[derive(Debug, Args)]
pub(super) struct ItemsArgs {
    /// Items of an attempt as Parquet
    file: PathBuf,
    /// This track only; may be repeated
    #[arg(long, value_name = "NAME")]
    track: Vec<String>,
    /// End with a line of totals and their interval for each track and for all items together
    #[arg(long)]
    summary: bool,
    #[command(flatten)]
    bootstrap: BootstrapArgs,
}

/// Writes every item as a line.
pub(super) fn run(out: &mut impl Write, args: &ItemsArgs) -> Result<(), Failure> {
    let items = read(&args.file)?;
    let items = of_tracks(items, &args.track, &args.file)?;
    for item in &items {
        write_line(out, item)?;
    }
    if !args.summary {
        return Ok(());
    }
    let tracks: BTreeSet<&str> = items.iter().filter_map(|item| item.track.as_deref()).collect();
    for &track in &tracks {
        let of_track: Vec<&Scored> =
            items.iter().filter(|item| item.track.as_deref() == Some(track)).collect();
        write_line(out, &wer::summarise(&of_track, Some(track), args.bootstrap.into()))?;
    }
    let all: Vec<&Scored> = items.iter().collect();
    write_line(out, &wer::summarise(&all, None, args.bootstrap.into()))
}

/// The items of the named tracks, or all if none is named.
pub(super) fn of_tracks(items: Vec<Scored>, tracks: &[String], file: &Path) -> Result<Vec<Scored>, Failure> {
    let has = |track: &String| items.iter().any(|item| item.track.as_ref() == Some(track));
    if let Some(missing) = tracks.iter().find(|track| !has(track)) {
        let there: BTreeSet<&str> = items.iter().filter_map(|item| item.track.as_deref()).collect();
        let there = if there.is_empty() { "none".to_owned() } else { Vec::from_iter(there).join(", ") };
        let name = file.display();
        return Err(Failure::Mismatch(format!("{name} has no track {missing:?}; its tracks: {there}")));
    }
    let is_wanted =
        |item: &Scored| tracks.is_empty() || item.track.as_ref().is_some_and(|track| tracks.contains(track));
    Ok(items.into_iter().filter(is_wanted).collect())
}

/// Whether a file begins as Parquet does. One that cannot be read does not.
pub(super) fn is_parquet(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *MAGIC
}

/// Reads the items of a Parquet file.
pub(super) fn read(path: &Path) -> Result<Vec<Scored>, Failure> {
    let name = path.display();
    let unreadable = |error: io::Error| io::Error::new(error.kind(), format!("cannot read {name}: {error}"));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        let limit = LARGEST_FILE >> 20;
        return Err(Failure::Mismatch(format!("{name} is larger than {limit} MiB")));
    }
    let results = item_results::read(bytes).map_err(|error| Failure::Mismatch(format!("{name}: {error}")))?;
    Ok(results.items.into_iter().map(scored).collect())
}

fn scored(item: ItemResult) -> Scored {
    let wide = |count: i32| u64::from(count.unsigned_abs());
    let counts = Counts {
        hits: wide(item.hits),
        substitutions: wide(item.substitutions),
        deletions: wide(item.deletions),
        insertions: wide(item.insertions),
    };
    Scored {
        utterance: Some(item.utterance.to_string()),
        track: Some(item.track),
        path: item.path,
        talker: Some(item.talker.to_string()),
        room: item.room,
        ..Scored::new(item.item.to_string(), counts)
    }
}
