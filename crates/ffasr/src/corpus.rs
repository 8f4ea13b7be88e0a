//! `ffasr corpus`: dry speech and noise, with their licences.

use std::path::{Path, PathBuf};

use benchmark::corpus::{
    Corpus, Description, Import, Limits, NoiseClass, NoiseCorpus, PROMPT_LANGUAGES, Source, import,
    import_noise,
};
use clap::{Args, Subcommand, ValueEnum};

use crate::{directories, error::Failure};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Bring recordings with texts into a corpus directory.
    Import(ImportArguments),
    /// Show the corpora of the data directory.
    List(ListArguments),
}

#[derive(Clone, Copy, ValueEnum)]
enum Layout {
    /// The recorded prompts of Debian's asterisk-core-sounds-LANGUAGE-g722: en, es, fr, it, ru (see --language).
    DebianPrompts,
    /// Directories with `*.trans.txt` lists beside FLAC or WAV files.
    Librispeech,
    /// A JSONL manifest: `audio_filepath`, `text`, `duration`, `speaker`.
    Manifest,
    /// Noise: a directory with the directories `transient`, `continuous`, `babble`, or a JSONL manifest of `audio_filepath`
    /// and `kind`.
    Noise,
}

#[derive(Args)]
pub(crate) struct ImportArguments {
    /// How the source is laid out.
    #[arg(long, value_enum)]
    layout: Layout,
    /// The source: a directory, or the manifest file. Not needed for the Debian prompts.
    #[arg(long)]
    source: Option<PathBuf>,
    /// Directory to make; must not exist.
    destination: PathBuf,
    /// Name of the corpus.
    #[arg(long, default_value = "")]
    name: String,
    /// Language, as a BCP 47 tag.
    #[arg(long, default_value = "en")]
    language: String,
    /// Licence of the recordings, an SPDX expression where there is one.
    #[arg(long, default_value = "")]
    licence: String,
    /// Whom the licence asks to name.
    #[arg(long, default_value = "")]
    attribution: String,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Directory with corpora below it; without it, `corpora` in the data directory.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Directory of everything this machine keeps.
    #[arg(long, env = "FFASR_DATA", default_value_os_t = directories::default_data())]
    data: PathBuf,
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Import(arguments) => run_import(arguments),
        Command::List(arguments) => list(arguments),
    }
}

fn run_import(arguments: &ImportArguments) -> Result<(), Failure> {
    if matches!(arguments.layout, Layout::Noise) {
        return run_noise(arguments);
    }
    let what = what_to_import(arguments)?;
    let report = import(&what, &arguments.destination, &crate::progress::percent("importing"))
        .map_err(Failure::input)?;
    println!(
        "{} utterances, {:.1} minutes, {} talkers; {} recordings left out (reasons in {})",
        report.utterances,
        report.seconds / 60.0,
        report.speakers,
        report.left_out.len(),
        arguments.destination.join("left-out.jsonl").display()
    );
    Ok(())
}

fn run_noise(arguments: &ImportArguments) -> Result<(), Failure> {
    let source = source(arguments)?;
    // No linguistic content, in ISO 639-2.
    let description = Description { language: "zxx".to_owned(), ..description(arguments)? };
    let progress = crate::progress::percent("importing");
    let report =
        import_noise(&source, &description, &arguments.destination, &progress).map_err(Failure::input)?;
    let taken: Vec<String> =
        report.taken.iter().map(|(kind, count)| format!("{count} {}", kind.name())).collect();
    println!(
        "{}, {:.1} minutes; {} recordings left out (reasons in {})",
        if taken.is_empty() { "nothing".to_owned() } else { taken.join(", ") },
        report.seconds / 60.0,
        report.left_out.len(),
        arguments.destination.join("left-out.jsonl").display()
    );
    Ok(())
}

fn source(arguments: &ImportArguments) -> Result<PathBuf, Failure> {
    arguments.source.clone().ok_or_else(|| Failure::input("--source is needed for this layout"))
}

fn description(arguments: &ImportArguments) -> Result<Description, Failure> {
    let needed = |value: &str, flag: &str| {
        if value.is_empty() {
            Err(Failure::input(format!("{flag} is needed: a corpus without it cannot be published")))
        } else {
            Ok(value.to_owned())
        }
    };
    Ok(Description {
        name: needed(&arguments.name, "--name")?,
        language: arguments.language.clone(),
        licence: needed(&arguments.licence, "--licence")?,
        attribution: needed(&arguments.attribution, "--attribution")?,
        // Where a machine keeps its files is no one's business.
        source: arguments
            .source
            .as_deref()
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
    })
}

fn what_to_import(arguments: &ImportArguments) -> Result<Import, Failure> {
    let source = match arguments.layout {
        Layout::DebianPrompts => {
            let code = arguments.language.split('-').next().unwrap_or_default();
            return Import::debian_prompts_of(code).ok_or_else(|| {
                let known: Vec<&str> = PROMPT_LANGUAGES.iter().map(|it| it.code).collect();
                Failure::input(format!("there are no prompts in `{code}`: use one of {}", known.join(", ")))
            });
        }
        Layout::Librispeech => Source::LibriSpeech { root: source(arguments)? },
        Layout::Manifest => Source::Manifest { file: source(arguments)? },
        Layout::Noise => return Err(Failure::failed("noise is imported elsewhere")),
    };
    Ok(Import { source, description: description(arguments)?, limits: Limits::default() })
}

fn list(arguments: &ListArguments) -> Result<(), Failure> {
    let directory = arguments.directory.clone().unwrap_or_else(|| arguments.data.join("corpora"));
    let entries = std::fs::read_dir(&directory)
        .map_err(|error| Failure::input(format!("{} cannot be read: {error}", directory.display())))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.is_dir()) {
        println!("{}", describe(path));
    }
    Ok(())
}

fn describe(path: &Path) -> String {
    match Corpus::open(path) {
        Ok(corpus) => format!(
            "{}: {} ({}), {} utterances, {}",
            path.display(),
            corpus.description.name,
            corpus.description.language,
            corpus.utterances.len(),
            corpus.description.licence
        ),
        Err(error) => {
            describe_noise(path).unwrap_or_else(|| format!("{}: not usable: {error}", path.display()))
        }
    }
}

fn describe_noise(path: &Path) -> Option<String> {
    let corpus = NoiseCorpus::open(path).ok()?;
    let kinds: Vec<String> = NoiseClass::ALL
        .map(|kind| (kind, corpus.of(kind).count()))
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{count} {}", kind.name()))
        .collect();
    let Description { name, licence, .. } = &corpus.description;
    Some(format!("{}: {name} (noise), {}, {licence}", path.display(), kinds.join(", ")))
}
