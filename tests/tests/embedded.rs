//! The embedded servers: a private PostgreSQL cluster and an S3 protocol server.

use std::{fs, os::unix::fs::MetadataExt, time::Duration};

use end_to_end::{Base, Program, until};
use sqlx::{Connection, postgres::PgConnection};
use store::{
    accounts::{self, Role},
    embedded::{Cluster, ClusterError},
};

#[tokio::test]
async fn what_was_stored_survives_a_restart_of_the_cluster() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    // The server's user must be able to get there.
    fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
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
}

#[tokio::test]
async fn a_second_owner_of_a_running_cluster_is_refused_and_a_guest_is_let_in() {
    let base = Base::start().await;
    let directory = base.directory().join("postgres");
    let options = Cluster::running(&directory).await.expect("a guest finds the running server");
    PgConnection::connect_with(&options).await.unwrap();
    let error = Cluster::start(&directory).await.err().unwrap();
    assert!(matches!(error, ClusterError::InUse { .. }), "{error}");
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
    let service = Program::start(&data, &["serve", "--listen", "127.0.0.1:0"]);
    service.said("listening on ");
    let pid_file = data.join("postgres/data/postmaster.pid");
    let pid: u32 = fs::read_to_string(&pid_file).unwrap().lines().next().unwrap().parse().unwrap();
    service.kill();
    until("PostgreSQL stops", || async { (!fs::exists(format!("/proc/{pid}")).unwrap()).then_some(()) })
        .await;
    let again = Program::start(&data, &["serve", "--listen", "127.0.0.1:0"]);
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
