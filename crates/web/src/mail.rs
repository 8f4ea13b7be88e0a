//! Sending e-mail through the operator's server, if there is one.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use protocol::SubmissionId;
use store::mail::{self, About, Mail};
use tokio::time::timeout;

use crate::{MailPolicy, Service};

/// How long the server may take for one message.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than a message can take.
const LEASE: Duration = Duration::from_mins(2);
/// What is due is looked for this often; new messages come with a notification.
const LOOK: Duration = Duration::from_secs(5);
const AFTER_ERROR: Duration = Duration::from_secs(1);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Sends what is due, for ever; nothing where no server is configured.
pub(crate) async fn send_all(service: Service) {
    let Some(policy) = service.settings.policy.mail.clone() else { return std::future::pending().await };
    let (transport, from) = match set_up(&policy) {
        Ok(ready) => ready,
        Err(problem) => {
            tracing::error!("e-mail is not sent: {problem}");
            return std::future::pending().await;
        }
    };
    let mut changed = service.jobs_changed.subscribe();
    loop {
        changed.mark_unchanged();
        match mail::claim(&service.pool, LEASE).await {
            Ok(Some(mail)) => {
                let sent = match send(&transport, &from, &service, &mail).await {
                    Ok(()) => true,
                    Err(problem) => {
                        tracing::warn!("a message could not be sent: {problem}");
                        false
                    }
                };
                if let Err(error) = mail::finish(&service.pool, &mail, sent).await {
                    tracing::warn!("the end of a message could not be noted: {error}");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
            Ok(None) => {
                let _ = timeout(LOOK, changed.changed()).await;
            }
            Err(error) => {
                tracing::warn!("messages could not be looked for: {error}");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

fn set_up(policy: &MailPolicy) -> Result<(Transport, Mailbox), String> {
    // The address may hold a password, so it is not repeated.
    let transport = Transport::from_url(&policy.server)
        .map_err(|_| "the server's address is none (smtps://user:password@host)".to_owned())?;
    let from = policy.from.parse().map_err(|error| format!("{} cannot be a sender: {error}", policy.from))?;
    Ok((transport.timeout(Some(PATIENCE)).build(), from))
}

async fn send(transport: &Transport, from: &Mailbox, service: &Service, mail: &Mail) -> Result<(), String> {
    let to = mail.email.parse().map_err(|error| format!("an address cannot be used: {error}"))?;
    let (subject, body) = words(mail, &service.settings.policy.public_url);
    let message = Message::builder()
        .from(from.clone())
        .to(to)
        .subject(subject)
        .header(ContentType::TEXT_PLAIN)
        .body(body)
        .map_err(|error| error.to_string())?;
    transport.send(message).await.map(drop).map_err(|error| error.to_string())
}

/// Subject and text.
fn words(mail: &Mail, url: &str) -> (String, String) {
    let greeting = format!("Hello {},", mail.name);
    match &mail.about {
        About::Confirmation(code) => (
            "FFASR: please confirm your address".to_owned(),
            format!(
                "{greeting}\n\nsomebody with the account \u{201c}{}\u{201d} wants messages about submissions sent to this address. If that \
                 was you, follow this link:\n\n{url}/webhooks/email/confirm?code={code}\n\nIf not, do nothing, and nothing more is sent.\n",
                mail.name
            ),
        ),
        About::Moved { submission, model, to_state, reason } => {
            let state = to_state.replace('_', " ");
            let model = one_line(model);
            (
                format!("FFASR: {model} is {state}"),
                format!("{greeting}\n\n{model} is {state}.\n{reason}\n\n{}", closing(url, *submission)),
            )
        }
        About::Noted { submission, model, reason } => {
            let model = one_line(model);
            (
                format!("FFASR: news of {model}"),
                format!("{greeting}\n\nof {model}: {reason}\n\n{}", closing(url, *submission)),
            )
        }
    }
}

/// A line break in a subject would begin another header; the library refuses it, we make it a space.
fn one_line(model: &str) -> String {
    model.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn closing(url: &str, submission: SubmissionId) -> String {
    format!(
        "Everything about it: {url}/submissions/{submission}\n\n\
         To get no more of these, remove your address at {url}/webhooks.\n"
    )
}

/// Whether an address may be one.
pub(crate) fn is_address(text: &str) -> bool {
    text.len() <= 254 && text.parse::<lettre::Address>().is_ok()
}
