//! E-mail through a server that speaks SMTP: nothing before the address is confirmed, then what matters.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use end_to_end::{Base, Site};
use protocol::SubmissionId;
use reqwest::multipart::Form;
use serde_json::Value;
use store::{
    accounts::Role,
    review::{self, Action, Actor},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use web::{MailPolicy, Policy};

/// One session of RFC 5321, without extensions; `fails` answers the first message with a passing failure.
async fn session(
    stream: TcpStream,
    received: mpsc::UnboundedSender<String>,
    fails: bool,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.get(..4).unwrap_or_default().to_uppercase().as_str() {
            "DATA" if fails => b"451 Try again later\r\n",
            "DATA" => {
                stream.write_all(b"354 Go on\r\n").await?;
                let mut message = String::new();
                while !message.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut message).await?;
                }
                received.send(message).unwrap();
                b"250 Taken\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 Bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 Fine\r\n",
        };
        stream.write_all(answer).await?;
    }
}

/// A server; the first message is refused for now.
async fn server() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("smtp://{}", listener.local_addr().unwrap());
    let (sender, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut fails = true;
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(session(stream, sender.clone(), fails));
            fails = false;
        }
    });
    (address, received)
}

async fn site(mail: Option<MailPolicy>) -> Site {
    let base = Base::start().await;
    base.user("sam", Role::Submitter).await;
    base.release().await;
    let policy = Policy { mail, public_url: "https://ffasr.example".to_owned(), ..Policy::default() };
    Site::under(base, policy).await
}

async fn submitted(site: &Site, name: &str) -> SubmissionId {
    let form = Form::new()
        .text("name", name.to_owned())
        .text("organisation", "o")
        .text("licence", "MIT")
        .text("runtime", "pocketsphinx");
    let answer: Value = site.submit(&site.api_token("sam").await, form).await.json().await.unwrap();
    answer["id"].as_str().unwrap().parse().unwrap()
}

/// The text of a message, its soft line breaks (RFC 2045, quoted-printable) taken away.
fn text(message: &str) -> String {
    message.replace("=\r\n", "").replace("=3D", "=")
}

#[tokio::test]
async fn an_address_is_confirmed_before_it_is_told_of_what_matters() {
    let (server, mut received) = server().await;
    let from = "FFASR <ffasr@example.org>".to_owned();
    let site = site(Some(MailPolicy { server, from })).await;
    let sam = site.signed_in("sam").await;
    let set = async |email: &str| {
        let request = sam.post(format!("{}/webhooks/email", site.url)).form(&[("email", email)]);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(set("no address").await, 422);
    assert_eq!(set("sam@example.org").await, 303);
    let cancel = async |id: SubmissionId| {
        let actor = Actor { name: "ada", role: Role::Admin };
        review::act(&site.pool, id, actor, Action::Cancel, "An experiment.").await.unwrap();
    };
    cancel(submitted(&site, "before").await).await;
    // The server refuses the first message for now; a minute later it is tried again.
    end_to_end::until("the message comes again", || async {
        sqlx::query("UPDATE mails SET run_after = now() WHERE tries > 0 AND lease_token IS NULL")
            .execute(&site.pool)
            .await
            .unwrap();
        (!received.is_empty()).then_some(())
    })
    .await;
    let request = text(&received.recv().await.unwrap());
    assert!(
        request.contains("To: sam@example.org") && request.contains("From: FFASR <ffasr@example.org>"),
        "{request}"
    );
    let link = request.lines().find(|line| line.starts_with("https://ffasr.example/")).unwrap();
    let path = link.strip_prefix("https://ffasr.example").unwrap();
    let page = sam.get(format!("{}{path}", site.url)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("The address is confirmed."));
    let again = sam.get(format!("{}{path}", site.url)).send().await.unwrap().text().await.unwrap();
    assert!(again.contains("has been used"));

    let id = submitted(&site, "after").await;
    cancel(id).await;
    let told = text(&received.recv().await.unwrap());
    assert!(told.contains("Subject: FFASR: after is cancelled"), "the one before was not told of: {told}");
    assert!(
        told.contains("An experiment.") && told.contains(&format!("https://ffasr.example/submissions/{id}"))
    );
    assert_eq!(set("").await, 303);
    cancel(submitted(&site, "last").await).await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM mails").fetch_one(&site.pool).await.unwrap();
    assert_eq!(left, 0, "nobody is told any more");
}

#[tokio::test]
async fn without_a_server_no_addresses_are_taken() {
    let site = site(None).await;
    let sam = site.signed_in("sam").await;
    let page = sam.get(format!("{}/webhooks", site.url)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("This service sends no e-mail"));
    let request = sam.post(format!("{}/webhooks/email", site.url)).form(&[("email", "sam@example.org")]);
    assert_eq!(request.send().await.unwrap().status(), 422);
}
