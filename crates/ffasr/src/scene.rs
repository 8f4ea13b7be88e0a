//! `ffasr scene`: one scene, rendered.

use std::{
    fs,
    path::{Path, PathBuf},
};

use benchmark::{
    RoomModel,
    corpus::Recordings,
    release::{RENDERER, Recipe, RenderJob, RenderTask, Workshop},
};
use clap::{Args, Subcommand};
use serde::Deserialize;
use uuid::Uuid;

use crate::error::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Render one scene: recipe in, WAV and measured levels out.
    Render(RenderArguments),
}

#[derive(Args)]
pub(crate) struct RenderArguments {
    /// JSON with `room` (`null` for dry speech; a box, a furnished room or measured responses, as render jobs have it)
    /// and `recipe` (as a release's manifest has it).
    scene: PathBuf,
    /// Corpus directories with the recordings of the recipe.
    #[arg(long, required = true)]
    corpus: Vec<PathBuf>,
    /// WAV file to write; must not exist. What there is in one channel goes beside it, as `<name>.mono.wav`.
    #[arg(long)]
    out: PathBuf,
}

/// What is to be rendered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SceneFile {
    room: Option<RoomModel>,
    recipe: Recipe,
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Render(arguments) => render(arguments),
    }
}

fn render(arguments: &RenderArguments) -> Result<(), Failure> {
    let RenderArguments { scene, corpus, out } = arguments;
    let unusable = |error: &dyn std::fmt::Display| Failure::input(format!("{}: {error}", scene.display()));
    let text = fs::read(scene).map_err(|error| unusable(&error))?;
    let SceneFile { room, recipe } = serde_json::from_slice(&text).map_err(|error| unusable(&error))?;
    if out.exists() {
        return Err(Failure::input(format!("{} exists already: name another file", out.display())));
    }
    let work = tempfile::tempdir().map_err(Failure::failed)?;
    let recordings = Recordings::of_corpora(corpus.iter().map(PathBuf::as_path));
    let workshop = Workshop::open(work.path(), recordings).map_err(Failure::failed)?;
    let items = vec![RenderTask { id: Uuid::nil(), recipe }];
    let job = RenderJob { renderer: RENDERER.to_owned(), room, items };
    let rendered = workshop.render(&job, &|| ()).map_err(Failure::input)?;
    for item in &rendered.items {
        copy(&work.path().join(item.audio.path()), out)?;
        if let Some(mono) = &item.mono {
            copy(&work.path().join(mono.path()), &out.with_extension("mono.wav"))?;
        }
        println!("{}", serde_json::to_string_pretty(item).map_err(Failure::failed)?);
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to).map_err(|error| Failure::input(format!("{}: {error}", to.display())))?;
    Ok(())
}
