//! `ffasr admin submission`: what the inbox does.

use clap::{Args, Subcommand};
use protocol::SubmissionId;
use store::{
    accounts::Role,
    findings, inbox,
    queue::Priority,
    review::{self, Action, Actor},
    state::SubmissionState,
    submissions,
};

use super::guest;
use crate::{backend::BackendArguments, error::Failure};

/// Who acts, in events and in the audit log: whoever can run this has the database itself.
pub(super) const ACTOR: &str = "operator";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show submissions, what has waited longest first.
    List {
        /// Only those in one state, e.g. `in_review`.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Show one with its findings, files and thread.
    Show {
        /// Its id.
        id: SubmissionId,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Let what is in review run.
    Approve(Target),
    /// Refuse what is in review or quarantined.
    Reject(Explained),
    /// Ask the submitter something.
    Ask(Explained),
    /// Run what failed or was cancelled once more.
    Rerun(Explained),
    /// Change how soon it runs.
    Prioritise {
        /// Its id.
        id: SubmissionId,
        /// urgent, normal or background.
        priority: String,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Stop one.
    Cancel(Explained),
    /// Take a result off the board while it is looked into.
    Quarantine(Explained),
    /// Put a quarantined result back on the board.
    Restore(Explained),
    /// Keep a result that is not in doubt from the board; its record says so.
    Hide(Explained),
    /// Show a hidden result on the board again.
    Unhide(Explained),
    /// Confirm a result.
    Verify(Target),
    /// Take that back.
    Unverify(Explained),
    /// Give the submitter's token back.
    Refund(Explained),
}

#[derive(Args)]
pub(crate) struct Target {
    /// Ids, one or more.
    #[arg(required = true)]
    ids: Vec<SubmissionId>,
    #[command(flatten)]
    backend: BackendArguments,
}

#[derive(Args)]
pub(crate) struct Explained {
    /// Ids, one or more.
    #[arg(required = true)]
    ids: Vec<SubmissionId>,
    /// Why, for the submitter and the audit log.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    backend: BackendArguments,
}

pub(super) async fn run(command: Command) -> Result<(), Failure> {
    let (action, explained) = match command {
        Command::List { state, backend } => return list(state.as_deref(), &backend).await,
        Command::Show { id, backend } => return show(id, &backend).await,
        Command::Prioritise { id, priority, backend } => {
            let priority: Priority = priority.parse()?;
            return act(Action::Prioritise(priority), &[id], "", &backend).await;
        }
        Command::Approve(target) => return act(Action::Approve, &target.ids, "", &target.backend).await,
        Command::Verify(target) => return act(Action::Verify, &target.ids, "", &target.backend).await,
        Command::Reject(explained) => (Action::Reject, explained),
        Command::Ask(explained) => (Action::Ask, explained),
        Command::Rerun(explained) => (Action::Rerun, explained),
        Command::Cancel(explained) => (Action::Cancel, explained),
        Command::Quarantine(explained) => (Action::Quarantine, explained),
        Command::Restore(explained) => (Action::Restore, explained),
        Command::Hide(explained) => (Action::Hide, explained),
        Command::Unhide(explained) => (Action::Unhide, explained),
        Command::Unverify(explained) => (Action::Unverify, explained),
        Command::Refund(explained) => (Action::Refund, explained),
    };
    act(action, &explained.ids, &explained.reason, &explained.backend).await
}

async fn act(
    action: Action,
    ids: &[SubmissionId],
    reason: &str,
    backend: &BackendArguments,
) -> Result<(), Failure> {
    let backend = guest(backend).await?;
    let actor = Actor { name: ACTOR, role: Role::Admin };
    for id in ids {
        review::act(&backend.pool, *id, actor, action, reason).await?;
        println!("{id}\t{}", submissions::get(&backend.pool, *id).await?.state);
    }
    Ok(())
}

async fn list(state: Option<&str>, backend: &BackendArguments) -> Result<(), Failure> {
    let show = match state {
        Some(state) => inbox::Show::In(state.parse::<SubmissionState>().map_err(Failure::input)?),
        None => inbox::Show::All,
    };
    let backend = guest(backend).await?;
    let limits = web::Policy::default().limits;
    for entry in inbox::list(&backend.pool, show, &limits).await? {
        println!("{}\t{}\t{}\t{}", entry.id, entry.state, entry.release, entry.manifest.name);
    }
    Ok(())
}

async fn show(id: SubmissionId, backend: &BackendArguments) -> Result<(), Failure> {
    let backend = guest(backend).await?;
    let submission = submissions::get(&backend.pool, id).await?;
    println!("model\t{}", submission.manifest.name);
    println!("submitter\t{}", submission.user_name);
    println!("state\t{} since {}", submission.state, submission.state_entered_at);
    println!("reason\t{}", submission.reason);
    if let Some((since, by)) = &submission.hidden {
        println!("hidden\tfrom the board since {since} by {by}");
    }
    println!("priority\t{}", submission.priority.as_str());
    for finding in findings::of(&backend.pool, id).await? {
        println!("{}\t{}\t{} {}", finding.severity, finding.place, finding.sentence, finding.advice);
    }
    for file in submissions::files(&backend.pool, id).await? {
        println!("file\t{}\t{}\t{}", file.name, file.bytes, file.sha256);
    }
    for message in review::messages(&backend.pool, id).await? {
        println!("message\t{}\t{}\t{}", message.at, message.author, message.body);
    }
    Ok(())
}
