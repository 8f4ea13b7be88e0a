//! `ffasr admin quota` and `ffasr admin audit`.

use clap::Subcommand;
use store::{
    accounts, audit,
    quota::{self, Rule},
};

use super::{guest, submission::ACTOR};
use crate::{backend::BackendArguments, error::Failure};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Give a submitter another quota for some days; the larger bucket is full at once.
    Set {
        /// Whose.
        user: String,
        /// Submissions at once.
        #[arg(long)]
        burst: i32,
        /// Submissions a day in the long run.
        #[arg(long)]
        per_day: f64,
        /// For how many days.
        #[arg(long)]
        days: u32,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Show what was taken from a submitter and given back, and why; the newest first.
    Show {
        /// Whose.
        user: String,
        #[command(flatten)]
        backend: BackendArguments,
    },
}

pub(super) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Set { user, burst, per_day, days, reason, backend } => {
            let backend = guest(&backend).await?;
            let account = accounts::user_by_name(&backend.pool, &user).await?;
            let rule = Rule { burst, per_day };
            quota::set_override(&backend.pool, (account.id, &user), rule, days, ACTOR, &reason).await?;
            println!("{user} may hand in {burst} at once and {per_day} a day for {days} days");
        }
        Command::Show { user, backend } => {
            let backend = guest(&backend).await?;
            let account = accounts::user_by_name(&backend.pool, &user).await?;
            for entry in quota::entries(&backend.pool, account.id).await? {
                let model = entry.model.unwrap_or_default();
                println!("{}\t{:+}\t{model}\t{}", entry.at, entry.tokens, entry.reason);
            }
        }
    }
    Ok(())
}

pub(super) async fn audit_log(backend: &BackendArguments) -> Result<(), Failure> {
    let backend = guest(backend).await?;
    for action in audit::latest(&backend.pool).await? {
        println!("{}\t{}\t{}\t{}\t{}", action.at, action.actor, action.action, action.subject, action.reason);
    }
    Ok(())
}
