//! The embedded servers: a private PostgreSQL cluster and an S3 protocol server.

#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Output,
    time::Duration,
};

use end_to_end::{Base, Program, short_directory, until};
use sqlx::{Connection, postgres::PgConnection};
use store::{
    accounts::{self, Role},
    embedded::{Cluster, ClusterError},
};

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];
const LIST: [&str; 3] = ["admin", "worker", "list"];

fn server_pid(data: &Path) -> u32 {
    let pid_file = fs::read_to_string(data.join("postgres/data/postmaster.pid")).unwrap();
    pid_file.lines().next().unwrap().parse().unwrap()
}

/// What a command that failed said.
fn complaint(output: Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn what_was_stored_survives_a_restart_of_the_cluster() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    // The server's user must be able to get there.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let place = directory.path().join("pg");
    let cluster = Cluster::start(&place).await.unwrap();
    let pool = store::connect(cluster.options("postgres")).await.unwrap();
    accounts::put_user(&pool, "sam", Role::Admin, "correct horse").await.unwrap();
    pool.close().await;
    drop(cluster);
    let cluster = Cluster::start(&place).await.unwrap();
    let pool = store::connect(cluster.options("postgres")).await.unwrap();
    assert!(accounts::user_by_password(&pool, "sam", "correct horse").await.unwrap().is_some());
    assert!(accounts::user_by_password(&pool, "sam", "wrong").await.unwrap().is_none());
}

#[tokio::test]
async fn the_cluster_listens_on_no_port_and_runs_as_an_unprivileged_user() {
    let base = Base::start().await;
    let addresses: String =
        sqlx::query_scalar("SELECT current_setting('listen_addresses')").fetch_one(&base.pool).await.unwrap();
    assert_eq!(addresses, "");
    let owner = fs::metadata(base.directory().join("postgres/data")).unwrap().uid();
    assert_ne!(owner, 0, "the data belong to the server's user");
    let mode = fs::metadata(base.directory().join("postgres")).unwrap().mode() & 0o777;
    assert_eq!(mode, 0o700, "nobody else reaches the socket");
}

#[tokio::test]
async fn a_directory_of_another_version_is_named_as_such() {
    let base = Base::start().await;
    let directory = base.directory().join("old");
    fs::create_dir_all(directory.join("data")).unwrap();
    fs::write(directory.join("data/PG_VERSION"), "9\n").unwrap();
    let error = Cluster::start(&directory).await.err().unwrap();
    assert!(matches!(&error, ClusterError::OtherVersion { found, .. } if found == "9"), "{error}");
    assert!(error.to_string().contains("PG_BIN_DIR"), "the message says what to do");
}

#[tokio::test]
async fn a_directory_that_is_no_cluster_is_left_alone() {
    let base = Base::start().await;
    let directory = base.directory().join("mine");
    fs::create_dir_all(directory.join("data")).unwrap();
    fs::write(directory.join("data/letter.txt"), "dear").unwrap();
    let error = Cluster::start(&directory).await.err().unwrap();
    assert!(matches!(error, ClusterError::ForeignDirectory(_)), "{error}");
    assert_eq!(fs::read_to_string(directory.join("data/letter.txt")).unwrap(), "dear");

    let directory = base.directory().join("others");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(directory.join("letter.txt"), "dear").unwrap();
    let before = fs::metadata(&directory).unwrap();
    let error = Cluster::start(&directory).await.err().unwrap();
    assert!(matches!(error, ClusterError::ForeignDirectory(_)), "{error}");
    let after = fs::metadata(&directory).unwrap();
    assert_eq!((after.mode(), after.uid()), (before.mode(), before.uid()));
}

#[tokio::test]
async fn a_cluster_that_others_can_reach_is_not_started_and_the_command_that_closes_it_is_named() {
    let directory = short_directory();
    let place = directory.path().join("pg");
    drop(Cluster::start(&place).await.unwrap());
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    let error = Cluster::start(&place).await.err().unwrap();
    assert!(matches!(error, ClusterError::Exposed { .. }), "{error}");
    assert!(error.to_string().contains("chmod 700 "), "{error}");
    assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn a_second_owner_of_a_data_directory_is_refused_and_a_guest_is_let_in() {
    let place = short_directory();
    let data = place.path().join("d");
    let service = Program::start(&data, &SERVE);
    service.said("listening on ");
    let message = complaint(Program::output(&data, &SERVE));
    assert!(message.contains("another ffasr uses the data directory"), "{message}");
    let options = Cluster::running(&data.join("postgres")).await.unwrap();
    PgConnection::connect_with(&options.expect("a guest finds the running server")).await.unwrap();
    Program::run(&data, &LIST);
}

#[tokio::test]
async fn a_guest_starts_the_cluster_of_a_stopped_service_and_makes_none_where_there_is_none() {
    let place = short_directory();
    let data = place.path().join("d");
    let output = Program::output(&data, &LIST);
    assert_eq!(output.status.code(), Some(2));
    let message = complaint(output);
    assert!(message.contains(&format!("{}: no FFASR data here", data.display())), "{message}");
    assert!(!data.exists());

    let service = Program::start(&data, &SERVE);
    service.said("listening on ");
    service.kill();
    Program::run(&data, &LIST);
}

#[tokio::test]
async fn what_the_environment_says_of_another_postgresql_is_not_for_the_private_one() {
    let place = short_directory();
    let data = place.path().join("d");
    let environment = [
        ("PGPORT", "1"),
        ("PGHOST", "postgres.invalid"),
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/nowhere"),
        ("PGUSER", "nobody"),
        ("PGDATABASE", "none"),
    ];
    Program::start_in(&data, &SERVE, &environment).said("listening on ");
    let output = Program::output_in(&data, &SERVE, &[("PGOPTIONS", "-c search_path=other")]);
    assert!(complaint(output).contains("unset it"));
}

#[tokio::test]
async fn a_wrong_pg_bin_dir_is_an_error_and_not_overlooked() {
    let place = short_directory();
    let empty = place.path().display().to_string();
    let output = Program::output_in(&place.path().join("d"), &SERVE, &[("PG_BIN_DIR", &empty)]);
    let message = complaint(output);
    assert!(message.contains(&format!("PG_BIN_DIR is {empty}")), "{message}");
}

#[tokio::test]
async fn the_interrupt_of_a_terminal_does_not_reach_the_cluster() {
    let base = Base::start().await;
    let pid = server_pid(base.directory());
    // proc(5): pid, (name), state, parent, process group.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let group = stat.rsplit(')').next().unwrap().split_whitespace().nth(2).unwrap();
    assert_eq!(group, pid.to_string(), "a group of its own");
}

#[tokio::test]
async fn a_data_directory_that_others_cannot_enter_is_left_as_it_is() {
    let place = short_directory();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let message = complaint(Program::output(place.path(), &SERVE));
    assert!(message.contains("chmod o+x "), "{message}");
    assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn corpora_are_looked_for_in_the_data_directory() {
    let place = short_directory();
    fs::create_dir_all(place.path().join("corpora/mine")).unwrap();
    let listed = Program::run(place.path(), &["corpus", "list"]);
    assert!(listed.starts_with(&place.path().join("corpora/mine").display().to_string()), "{listed}");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_refused_with_a_sentence() {
    let base = Base::start().await;
    let directory = base.directory().join("x".repeat(120));
    let error = Cluster::start(&directory).await.err().unwrap();
    assert!(matches!(error, ClusterError::PathTooLong(_)), "{error}");
}

#[tokio::test]
async fn a_killed_service_takes_its_cluster_with_it() {
    let base = Base::start().await;
    let data = base.directory().join("d");
    let service = Program::start(&data, &SERVE);
    service.said("listening on ");
    let pid = server_pid(&data);
    service.kill();
    until("PostgreSQL stops", || async { (!fs::exists(format!("/proc/{pid}")).unwrap()).then_some(()) })
        .await;
    let again = Program::start(&data, &SERVE);
    again.said("listening on ");
}

#[tokio::test]
async fn objects_come_back_as_they_were_stored_and_presigned_addresses_need_no_credentials() {
    let base = Base::start().await;
    let content = vec![7_u8; 100_000];
    assert!(!base.objects.contains("audio/abc").await);
    base.objects.put("audio/abc", content.clone()).await.unwrap();
    assert!(base.objects.contains("audio/abc").await);
    assert_eq!(base.objects.get("audio/abc", 100_000).await.unwrap(), content);
    let too_large = base.objects.get("audio/abc", 99_999).await.unwrap_err().to_string();
    assert!(too_large.contains("99999"), "{too_large}");

    let minute = Duration::from_mins(1);
    let client = end_to_end::client();
    let read = base.objects.presign_get("audio/abc", minute).await.unwrap();
    assert_eq!(client.get(&read).send().await.unwrap().bytes().await.unwrap(), content);
    let write = base.objects.presign_put("results/x", minute).await.unwrap();
    assert!(client.put(&write).body("text").send().await.unwrap().status().is_success());
    assert_eq!(base.objects.get("results/x", 10).await.unwrap(), b"text");

    let elsewhere = read.replace("audio/abc", "results/x");
    assert_eq!(
        client.get(elsewhere).send().await.unwrap().status(),
        403,
        "an address is good for its object alone"
    );
    let bare = read.split('?').next().unwrap().to_owned();
    assert_eq!(client.get(bare).send().await.unwrap().status(), 403, "nothing is public");
}
