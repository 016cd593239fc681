//! Connecting to real servers: every way to log in, every mode of TLS with good and bad certificates, and what is said where
//! it does not work.

mod support;

use anyhow::{Context, Result};
use runsheet_driver_postgres::Postgres as PostgresDriver;
use runsheet_sdk::{Applied, Class, Connection, Driver, Error, Failure, Settings};
use runsheet_test_servers::{Authority, Issued, Postgres, PostgresOptions, Request, self_signed, shared};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::sync::OnceLock;
use support::{ask, on, open, run, settings};

/// A password that is found wherever it should not be.
const PASSWORD: &str = "s3cr€t of-nobody's \"business\"";

/// A server with TLS and an account for every way to log in.
fn guarded() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| start_guarded().expect("PostgreSQL starts"))
}

fn start_guarded() -> Result<Postgres> {
    let hba = [
        "host all scram 0.0.0.0/0 scram-sha-256",
        "host all md5 0.0.0.0/0 md5",
        "host all plain 0.0.0.0/0 password",
        "hostssl all certified 0.0.0.0/0 cert",
        "host all certified 0.0.0.0/0 reject",
        "local all peer peer map=here",
        "host all nobody 0.0.0.0/0 reject",
        "hostssl all without 0.0.0.0/0 reject",
        "hostnossl all within 0.0.0.0/0 reject",
    ];
    let me = String::from_utf8(std::process::Command::new("id").arg("-un").output()?.stdout)?;
    let server = Postgres::start(&PostgresOptions {
        settings: vec!["listen_addresses = '*'".to_owned(), "lc_messages = 'C'".to_owned()],
        tls: true,
        hba: hba.map(str::to_owned).to_vec(),
        ident: vec![format!("here {} peer", me.trim())],
        ..PostgresOptions::default()
    })?;
    let word = PASSWORD.replace('\'', "''");
    server.execute("postgres", &format!("CREATE ROLE scram LOGIN PASSWORD '{word}'"))?;
    server.execute(
        "postgres",
        &format!("SET password_encryption = md5; CREATE ROLE md5 LOGIN PASSWORD '{word}'"),
    )?;
    server.execute("postgres", &format!("CREATE ROLE plain LOGIN PASSWORD '{word}'"))?;
    for name in ["certified", "peer", "nobody", "without", "within"] {
        server.execute("postgres", &format!("CREATE ROLE {name} LOGIN"))?;
    }
    Ok(server)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of a test is text")
}

/// Whether the session is secret.
fn has_tls(settings: &Settings) -> Result<bool> {
    let mut session = open(settings, "postgres")?;
    Ok(ask(&mut session, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")? == "t")
}

/// The error of a session that does not come about.
fn refused(settings: &Settings) -> Error {
    let error = open(settings, "postgres").err().expect("the session does not come about");
    assert_eq!(error.applied, Applied::No, "{error}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains("s3cr"), "{shown}");
    error
}

/// What comes of connecting.
enum Wanted {
    Tls,
    Plain,
    Refused(&'static str),
}
use Wanted::{Plain, Refused, Tls};

/// One case: the mode, whose certificate is trusted, the host's name, and what comes of it.
type Case<'a> = (&'a str, Option<&'a Path>, &'a str, Wanted);

fn hold(server: &Postgres, what: &str, cases: &[Case<'_>]) {
    for (mode, ca, host, wanted) in cases {
        let mut settings = on(server, &[("host", host), ("tls", mode)]);
        if let Some(ca) = ca {
            settings.set("tls_ca", text(ca), false);
        }
        let place = format!("{what}: tls = {mode}, host = {host}, tls_ca = {ca:?}");
        match (has_tls(&settings), wanted) {
            (Ok(true), Tls) | (Ok(false), Plain) => {}
            (Ok(tls), _) => panic!("{place}: it connected, TLS {tls}"),
            (Err(error), Refused(why)) => {
                let said = error.to_string();
                assert!(said.contains(why), "{place}: {said}");
            }
            (Err(error), Tls | Plain) => panic!("{place}: {error}"),
        }
    }
}

#[test]
fn every_mode_of_tls_means_what_sslmode_means() -> Result<()> {
    let server = Postgres::start(&PostgresOptions { tls: true, ..PostgresOptions::default() })?;
    let authority = server.authority()?;
    let good = authority.certificate();
    let good = Some(good.as_path());
    // Of the same name, so that only its signature tells it apart.
    let stranger = Authority::new("runsheet test ca")?;
    let bad = stranger.certificate();
    let bad = Some(bad.as_path());
    let unknown = "no authority that is trusted";
    hold(
        &server,
        "for localhost",
        &[
            ("disable", None, "localhost", Plain),
            ("allow", None, "localhost", Plain),
            ("prefer", None, "localhost", Tls),
            ("require", None, "localhost", Tls),
            ("require", good, "127.0.0.1", Tls),
            ("verify-ca", good, "localhost", Tls),
            ("verify-ca", good, "127.0.0.1", Tls),
            ("verify-full", good, "localhost", Tls),
            ("verify-full", good, "127.0.0.1", Refused("it is for localhost, and not for 127.0.0.1")),
            ("require", bad, "localhost", Refused(unknown)),
            ("verify-ca", bad, "localhost", Refused(unknown)),
            ("verify-full", bad, "localhost", Refused(unknown)),
        ],
    );

    server
        .show_certificate(&authority.issue(&Request::new("x", &["IP:127.0.0.1", "DNS:db.example.org"]))?)?;
    hold(
        &server,
        "for an address",
        &[
            ("verify-full", good, "127.0.0.1", Tls),
            (
                "verify-full",
                good,
                "localhost",
                Refused("it is for db.example.org, 127.0.0.1, and not for localhost"),
            ),
        ],
    );

    // As PostgreSQL's manual makes it: no names, and so of the first version of X.509.
    server.show_certificate(&authority.issue(&Request::new("localhost", &[]))?)?;
    hold(
        &server,
        "by its common name",
        &[
            ("prefer", None, "localhost", Tls),
            ("require", None, "localhost", Tls),
            ("verify-ca", good, "127.0.0.1", Tls),
            ("verify-full", good, "localhost", Tls),
            ("verify-full", good, "127.0.0.1", Refused("it is for localhost, and not for 127.0.0.1")),
            ("verify-ca", bad, "localhost", Refused("not accepted")),
        ],
    );

    for (what, names) in [("expired", vec!["DNS:localhost"]), ("expired, first version", vec![])] {
        let request = Request { until: "20210101000000Z".to_owned(), ..Request::new("localhost", &names) };
        server.show_certificate(&authority.issue(&request)?)?;
        let why = if names.is_empty() { "not accepted" } else { "it has expired" };
        hold(
            &server,
            what,
            &[
                ("prefer", None, "localhost", Tls),
                ("require", None, "localhost", Tls),
                ("require", good, "localhost", Refused(why)),
                ("verify-ca", good, "localhost", Refused(why)),
                ("verify-full", good, "localhost", Refused(why)),
            ],
        );
    }

    let client_only = Request {
        extensions: vec!["extendedKeyUsage=clientAuth".to_owned()],
        ..Request::new("localhost", &["DNS:localhost"])
    };
    server.show_certificate(&authority.issue(&client_only)?)?;
    hold(&server, "for clients only", &[("verify-ca", good, "localhost", Refused("not accepted"))]);

    let folder = tempfile::tempdir()?;
    let own = self_signed(folder.path(), "localhost", "own")?;
    server.show_certificate(&own)?;
    let itself = Some(own.certificate.as_path());
    hold(
        &server,
        "its own authority",
        &[
            ("require", None, "localhost", Tls),
            ("verify-ca", itself, "localhost", Tls),
            ("verify-full", itself, "localhost", Tls),
            ("verify-full", itself, "127.0.0.1", Refused("not for 127.0.0.1")),
            ("verify-full", good, "localhost", Refused("not accepted")),
        ],
    );
    Ok(())
}

#[test]
fn a_server_without_tls_is_spoken_to_only_where_that_is_allowed() -> Result<()> {
    let server = shared::postgres();
    let authority = Authority::new("a")?;
    let ca = authority.certificate();
    let ca = Some(ca.as_path());
    let none = "the server has no TLS";
    hold(
        server,
        "no TLS",
        &[
            ("disable", None, "127.0.0.1", Plain),
            ("allow", None, "127.0.0.1", Plain),
            ("prefer", None, "127.0.0.1", Plain),
            ("require", None, "127.0.0.1", Refused(none)),
            ("verify-ca", ca, "127.0.0.1", Refused(none)),
            ("verify-full", ca, "127.0.0.1", Refused(none)),
        ],
    );
    Ok(())
}

/// The systems' authorities are read from where the environment says, so this runs itself again with another environment.
#[test]
fn without_tls_ca_the_authorities_of_the_system_are_asked() -> Result<()> {
    const SERVER: &str = "RUNSHEET_TEST_SERVER_PORT";
    if let Ok(port) = std::env::var(SERVER) {
        let settings =
            settings(&[("host", "localhost"), ("port", &port), ("user", "postgres"), ("tls", "verify-full")]);
        assert!(has_tls(&settings)?);
        return Ok(());
    }
    let server = guarded();
    let authority = Authority::new("nobody knows it")?;
    let again = |ca: &Path| {
        std::process::Command::new(std::env::current_exe()?)
            .args(["--exact", "without_tls_ca_the_authorities_of_the_system_are_asked"])
            .env(SERVER, server.port().to_string())
            .env("SSL_CERT_FILE", ca)
            .env_remove("SSL_CERT_DIR")
            .output()
            .context("the test runs itself again")
    };
    let trusting = again(&server.ca())?;
    assert!(trusting.status.success(), "{}", String::from_utf8_lossy(&trusting.stdout));
    let strange = again(&authority.certificate())?;
    let said =
        String::from_utf8_lossy(&strange.stdout).into_owned() + &String::from_utf8_lossy(&strange.stderr);
    assert!(
        !strange.status.success() && said.contains("no authority that is trusted (the system's)"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_server_that_refuses_one_way_is_asked_the_other_where_the_mode_has_two() -> Result<()> {
    let server = guarded();
    let tls = |user: &str, mode: &str| has_tls(&on(server, &[("user", user), ("tls", mode)]));
    assert!(!tls("without", "prefer")?);
    assert!(tls("within", "allow")?);
    assert!(tls("within", "prefer")?);
    for (user, mode) in
        [("without", "require"), ("within", "disable"), ("nobody", "prefer"), ("nobody", "allow")]
    {
        let error = refused(&on(server, &[("user", user), ("tls", mode)]));
        assert_eq!((error.sqlstate.as_str(), error.class), ("28000", Class::Authentication), "{user} {mode}");
        assert!(error.hint.contains("pg_hba.conf"), "{error}");
    }
    let both = refused(&on(server, &[("user", "nobody"), ("tls", "prefer")]));
    assert!(both.message.contains("no encryption") && both.detail.contains("with TLS before"), "{both}");
    Ok(())
}

#[test]
fn every_way_to_log_in_works() -> Result<()> {
    let server = guarded();
    for user in ["scram", "md5", "plain"] {
        for tls in ["disable", "require"] {
            let settings = on(server, &[("user", user), ("password", PASSWORD), ("tls", tls)]);
            assert_eq!(has_tls(&settings)?, tls == "require", "{user} {tls}");
        }
    }
    let socket = settings(&[("host", text(server.socket())), ("user", "peer")]);
    let mut socket = {
        let mut all = socket;
        all.set("port", server.port().to_string(), false);
        all
    };
    assert_eq!(ask(&mut open(&socket, "postgres")?, "SELECT session_user")?, "peer");
    // A socket has no TLS, whatever is wanted.
    socket.set("tls", "require", false);
    assert!(!has_tls(&socket)?);
    Ok(())
}

#[test]
fn a_wrong_password_is_said_and_never_shown() -> Result<()> {
    let server = guarded();
    for user in ["scram", "md5", "plain"] {
        for tls in ["disable", "prefer"] {
            let wrong = on(server, &[("user", user), ("password", "s3cr3t wrong"), ("tls", tls)]);
            let error = refused(&wrong);
            assert_eq!(error.class, Class::Authentication, "{user}: {error}");
            assert_eq!(error.sqlstate, "28P01", "{user}: {error}");
            assert!(error.message.contains(&format!("as {user}")), "{error}");
            assert!(!format!("{wrong:?}").contains("s3cr"), "{wrong:?}");
            let none = refused(&on(server, &[("user", user), ("tls", tls)]));
            assert!(none.hint.contains("Set `password`"), "{none}");
        }
    }
    // Sent once, not once with TLS and once without.
    let log = server.log();
    let failures = log.matches("password authentication failed for user \"scram\"").count();
    assert_eq!(failures, 2, "{log}");
    Ok(())
}

#[test]
fn scram_is_bound_to_the_certificate_where_there_is_one() -> Result<()> {
    let server = guarded();
    let scram =
        |more: &[(&str, &str)]| on(server, &[&[("user", "scram"), ("password", PASSWORD)], more].concat());
    assert!(has_tls(&scram(&[("tls", "require"), ("channel_binding", "require")]))?);
    assert!(has_tls(&scram(&[("tls", "require"), ("channel_binding", "disable")]))?);
    for (user, tls) in [("md5", "require"), ("plain", "require"), ("postgres", "require"), ("scram", "allow")]
    {
        let with = [("user", user), ("password", PASSWORD), ("tls", tls), ("channel_binding", "require")];
        let error = refused(&on(server, &with));
        assert!(error.message.contains("without it"), "{user}: {error}");
    }
    Ok(())
}

#[test]
fn a_client_certificate_logs_in_and_its_name_must_fit() -> Result<()> {
    let server = guarded();
    let authority = server.authority()?;
    let with = |issued: &Issued| {
        let (cert, key) = (text(&issued.certificate).to_owned(), text(&issued.key).to_owned());
        on(server, &[("user", "certified"), ("tls", "require"), ("tls_cert", &cert), ("tls_key", &key)])
    };
    assert!(has_tls(&with(&authority.issue(&Request::new("certified", &[]))?))?);
    let other = refused(&with(&authority.issue(&Request::new("somebody", &[]))?));
    assert_eq!((other.sqlstate.as_str(), other.class), ("28000", Class::Authentication));
    let none = refused(&on(server, &[("user", "certified"), ("tls", "require")]));
    assert!(none.message.contains("client certificate"), "{none}");
    let stranger = Authority::new("stranger")?;
    refused(&with(&stranger.issue(&Request::new("certified", &[]))?));
    Ok(())
}

/// An address of this machine that others could reach it by, if it has one.
fn outward() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // No packet is sent; the system only says from where it would be.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip().to_string())
}

#[test]
fn a_plain_password_is_not_sent_where_others_could_read_it() -> Result<()> {
    let Some(host) = outward() else { return Ok(()) };
    let server = guarded();
    let plain = |tls| on(server, &[("host", &host), ("user", "plain"), ("password", PASSWORD), ("tls", tls)]);
    let error = refused(&plain("disable"));
    assert!(error.message.contains("others could read it") && error.hint.contains("`tls`"), "{error}");
    assert!(has_tls(&plain("prefer"))?);
    Ok(())
}

#[test]
fn a_server_that_never_answers_ends_at_the_timeout() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    for tls in ["disable", "allow", "prefer", "require"] {
        let silent = settings(&[
            ("host", "127.0.0.1"),
            ("port", &port),
            ("user", "u"),
            ("tls", tls),
            ("connect_timeout", "200ms"),
        ]);
        let error = refused(&silent);
        assert_eq!(error.failure, Failure::Lost);
        assert!(error.message.contains("did not answer within 200ms"), "{tls}: {error}");
        assert!(error.message.contains(&format!("127.0.0.1:{port} as u")), "{tls}: {error}");
    }
    Ok(())
}

#[test]
fn a_server_that_is_not_there_is_named() -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let nobody = refused(&settings(&[("host", "127.0.0.1"), ("port", &port), ("user", "u")]));
    assert_eq!((nobody.failure, nobody.class), (Failure::Lost, Class::Connection));
    assert!(nobody.message.contains(&port) && nobody.message.contains("refused"), "{nobody}");
    let unnamed = refused(&settings(&[("host", "no-such-host.invalid"), ("user", "u")]));
    assert!(unnamed.message.contains("no-such-host.invalid"), "{unnamed}");
    let folder = refused(&settings(&[("host", "/nowhere/at/all"), ("user", "u")]));
    assert!(folder.message.contains("/nowhere/at/all/.s.PGSQL.5432"), "{folder}");
    Ok(())
}

#[test]
fn a_server_is_reached_by_ipv6() -> Result<()> {
    let server = Postgres::start(&PostgresOptions {
        settings: vec!["listen_addresses = '::1'".to_owned()],
        ..PostgresOptions::default()
    })?;
    let mut session = open(&on(&server, &[("host", "::1")]), "postgres")?;
    assert_eq!(ask(&mut session, "SELECT host(inet_client_addr())")?, "::1");
    Ok(())
}

#[test]
fn what_the_server_refuses_at_the_login_says_what_to_do() -> Result<()> {
    let server = guarded();
    let missing = open(&on(server, &[]), "no_such_database").err().context("there is none")?;
    assert_eq!((missing.sqlstate.as_str(), missing.class), ("3D000", Class::MissingObject));
    assert!(missing.hint.contains("Create the database") && missing.message.contains("no_such_database"));
    let charset = refused(&on(server, &[("charset", "klingon")]));
    assert!(charset.message.contains("client_encoding"), "{charset}");
    server.execute("postgres", "ALTER ROLE peer CONNECTION LIMIT 0")?;
    let socket = settings(&[("host", text(server.socket())), ("user", "peer")]);
    let mut full = socket;
    full.set("port", server.port().to_string(), false);
    // The superuser's own sessions are not counted, so this one is over the limit at once.
    let error = open(&full, "postgres").err();
    server.execute("postgres", "ALTER ROLE peer CONNECTION LIMIT -1")?;
    let error = error.context("there is no place")?;
    assert_eq!((error.sqlstate.as_str(), error.class), ("53300", Class::Resource));
    assert!(error.hint.contains("max_connections"), "{error}");
    Ok(())
}

#[test]
fn a_session_is_named_after_its_task() -> Result<()> {
    let server = shared::postgres();
    let label = "runsheet projects/sample/plans/a-plan-with-a-name-that-is-very-long/083c1c01-a0a6-485d";
    let mut session = PostgresDriver::open(&on(server, &[]), "postgres", label, &mut |_| {})?;
    let name = ask(&mut session, "SELECT current_setting('application_name')")?;
    assert!(name.len() <= 63 && name.ends_with(".../083c1c01-a0a6"), "{name}");
    session.reset("runsheet it's another\\task")?;
    assert_eq!(
        ask(&mut session, "SELECT current_setting('application_name')")?,
        "runsheet it's another/task"
    );
    run(&mut session, "SELECT 1")?;
    Ok(())
}
