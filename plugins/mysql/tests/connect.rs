//! Connecting to real servers: every way to log in, every mode of TLS with good and bad certificates, and what is said where
//! it does not work.

mod support;

use anyhow::{Context, Result};
use runsheet_sdk::{Applied, Class, Connection, Error, Failure, Settings};
use runsheet_test_servers::{Authority, Family, Issued, MySql, MySqlOptions, Request, self_signed};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::sync::OnceLock;
use support::{ask, by_tcp, is_mariadb, on, open, settings};

/// A password that is found wherever it should not be.
const PASSWORD: &str = "s3cr€t of-nobody's \"business\"";

/// A server of each family with TLS, an account for every way to log in, and reachable from everywhere.
fn guarded() -> [&'static MySql; 2] {
    static SERVERS: OnceLock<[MySql; 2]> = OnceLock::new();
    let servers = SERVERS.get_or_init(|| {
        [Family::MariaDb, Family::MySql].map(|family| start_guarded(family).expect("the server starts"))
    });
    let [mariadb, mysql] = servers;
    [mariadb, mysql]
}

fn start_guarded(family: Family) -> Result<MySql> {
    let arguments = vec!["--bind-address=*".to_owned()];
    let server = MySql::start(family, &MySqlOptions { tls: true, arguments })?;
    let word = PASSWORD.replace('\'', "''");
    let mut accounts = match family {
        Family::MariaDb => {
            server.execute("", "INSTALL SONAME 'auth_ed25519'")?;
            vec![
                format!("native IDENTIFIED VIA mysql_native_password USING PASSWORD('{word}')"),
                format!("ed25519 IDENTIFIED VIA ed25519 USING PASSWORD('{word}')"),
            ]
        }
        Family::MySql => vec![
            format!("caching IDENTIFIED WITH caching_sha2_password BY '{word}'"),
            format!("sha256 IDENTIFIED WITH sha256_password BY '{word}'"),
        ],
    };
    accounts.push(format!("secret IDENTIFIED BY '{word}' REQUIRE SSL"));
    accounts.push(format!("certified IDENTIFIED BY '{word}' REQUIRE SUBJECT '/CN=certified'"));
    accounts.push(format!("locked IDENTIFIED BY '{word}' ACCOUNT LOCK"));
    accounts.push(format!("expired IDENTIFIED BY '{word}' PASSWORD EXPIRE"));
    accounts.push("open IDENTIFIED BY ''".to_owned());
    for account in accounts {
        server.execute("", &format!("CREATE USER {account}"))?;
    }
    Ok(server)
}

/// The accounts with a password, by how they log in.
fn accounts(server: &MySql) -> &'static [&'static str] {
    if is_mariadb(server) { &["native", "ed25519"] } else { &["caching", "sha256"] }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of a test is text")
}

/// Whether the session is secret.
fn has_tls(settings: &Settings) -> Result<bool> {
    let mut session = open(settings, "")?;
    // Neither server lets every account read its own status by a query, so it is asked by what the certificate would be.
    let database =
        if session.identify()?.product == "MariaDB" { "information_schema" } else { "performance_schema" };
    let sql =
        format!("(SELECT VARIABLE_VALUE FROM {database}.session_status WHERE VARIABLE_NAME = 'Ssl_cipher')");
    Ok(!ask(&mut session, &sql)?.is_empty())
}

/// The error of a session that does not come about.
fn refused(settings: &Settings) -> Error {
    let error = open(settings, "").err().expect("the session does not come about");
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

fn hold(server: &MySql, what: &str, cases: &[Case<'_>]) {
    for (mode, ca, host, wanted) in cases {
        let mut settings = by_tcp(server, &[("host", host), ("tls", mode)]);
        if let Some(ca) = ca {
            settings.set("tls_ca", text(ca), false);
        }
        let place = format!("{:?}, {what}: tls = {mode}, host = {host}, tls_ca = {ca:?}", server.family());
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
    for family in [Family::MariaDb, Family::MySql] {
        let server = MySql::start(family, &MySqlOptions { tls: true, ..MySqlOptions::default() })?;
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
                ("prefer", None, "localhost", Tls),
                ("require", None, "localhost", Tls),
                ("require", good, "127.0.0.1", Tls),
                ("verify-ca", good, "127.0.0.1", Tls),
                ("verify-full", good, "localhost", Tls),
                ("verify-full", good, "127.0.0.1", Refused("it is for localhost, and not for 127.0.0.1")),
                ("require", bad, "localhost", Refused(unknown)),
                ("verify-ca", bad, "localhost", Refused(unknown)),
                ("verify-full", bad, "localhost", Refused(unknown)),
                // The system trusts many, and none of them has signed this.
                ("verify-full", None, "localhost", Refused("rusted")),
            ],
        );

        server.show_certificate(&authority.issue(&Request::new("localhost", &[]))?)?;
        hold(
            &server,
            "by its common name, first version",
            &[
                ("require", None, "localhost", Tls),
                ("verify-full", good, "localhost", Tls),
                ("verify-full", good, "127.0.0.1", Refused("it is for localhost, and not for 127.0.0.1")),
            ],
        );

        // MySQL looks at its own certificate, and shows no bad one.
        if family == Family::MySql {
            continue;
        }
        let old =
            Request { until: "20210101000000Z".to_owned(), ..Request::new("localhost", &["DNS:localhost"]) };
        server.show_certificate(&authority.issue(&old)?)?;
        hold(
            &server,
            "expired",
            &[
                ("require", None, "localhost", Tls),
                ("verify-ca", good, "localhost", Refused("it has expired")),
                ("verify-full", good, "localhost", Refused("it has expired")),
            ],
        );

        let folder = tempfile::tempdir()?;
        let own = self_signed(folder.path(), "localhost", "own")?;
        server.show_certificate(&own)?;
        let itself = Some(own.certificate.as_path());
        hold(
            &server,
            "its own authority",
            &[
                ("verify-full", itself, "localhost", Tls),
                ("verify-full", good, "localhost", Refused("not accepted")),
            ],
        );
    }
    Ok(())
}

/// Without TLS; passwords can still be made unreadable.
fn bare() -> &'static MySql {
    static SERVER: OnceLock<MySql> = OnceLock::new();
    SERVER.get_or_init(|| {
        let arguments = ["--tls-version=", "--bind-address=*"].map(str::to_owned).to_vec();
        let options = MySqlOptions { arguments, ..MySqlOptions::default() };
        let server = MySql::start(Family::MySql, &options).expect("MySQL starts");
        let word = PASSWORD.replace('\'', "''");
        for (name, plugin) in [("caching", "caching_sha2_password"), ("sha256", "sha256_password")] {
            let create = format!("CREATE USER {name} IDENTIFIED WITH {plugin} BY '{word}'");
            server.execute("", &create).expect("the account is made");
        }
        server
    })
}

#[test]
fn a_server_without_tls_is_spoken_to_only_where_that_is_allowed() -> Result<()> {
    let authority = Authority::new("a")?;
    let ca = authority.certificate();
    let ca = Some(ca.as_path());
    let none = "the server has no TLS";
    // MariaDB has none where nobody gives it a certificate.
    for server in [runsheet_test_servers::shared::mariadb(), bare()] {
        hold(
            server,
            "no TLS",
            &[
                ("disable", None, "127.0.0.1", Plain),
                ("prefer", None, "127.0.0.1", Plain),
                ("require", None, "127.0.0.1", Refused(none)),
                ("verify-ca", ca, "127.0.0.1", Refused(none)),
                ("verify-full", ca, "127.0.0.1", Refused(none)),
            ],
        );
    }
    Ok(())
}

#[test]
fn every_way_to_log_in_works_with_tls_without_it_and_by_the_socket() -> Result<()> {
    for server in guarded() {
        for user in accounts(server) {
            let me = [("user", *user), ("password", PASSWORD)];
            for tls in ["disable", "require"] {
                let settings = by_tcp(server, &[&me[..], &[("tls", tls)]].concat());
                // Twice: the second time the server knows the account already, and a shorter way is gone.
                server.execute("", "FLUSH PRIVILEGES")?;
                for _ in 0..2 {
                    assert_eq!(has_tls(&settings)?, tls == "require", "{user} {tls}");
                }
            }
            server.execute("", "FLUSH PRIVILEGES")?;
            assert!(!has_tls(&on(server, &[&me[..], &[("tls", "require")]].concat()))?, "{user}");
        }
        assert!(!has_tls(&by_tcp(server, &[("user", "open"), ("tls", "disable")]))?);
    }
    Ok(())
}

#[test]
fn a_wrong_password_is_said_and_never_shown() -> Result<()> {
    for server in guarded() {
        for user in accounts(server) {
            for tls in ["disable", "prefer"] {
                let wrong = by_tcp(server, &[("user", user), ("password", "s3cr3t wrong"), ("tls", tls)]);
                let error = refused(&wrong);
                assert_eq!((error.code, error.class), (1045, Class::Authentication), "{user}: {error}");
                assert!(error.hint.contains("`user` and `password`"), "{error}");
                assert!(error.message.contains(&format!("as {user}")), "{error}");
                assert!(!format!("{wrong:?}").contains("s3cr"), "{wrong:?}");
                let none = refused(&by_tcp(server, &[("user", user), ("tls", tls)]));
                assert_eq!(none.class, Class::Authentication, "{none}");
            }
        }
    }
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
fn without_tls_a_password_goes_only_to_who_has_a_key_that_is_known() -> Result<()> {
    let Some(host) = outward() else { return Ok(()) };
    let server = bare();
    let key = server.public_key();
    let other = tempfile::NamedTempFile::new()?;
    std::fs::write(other.path(), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")?;
    for user in ["caching", "sha256"] {
        let with = |more: &[(&str, &str)]| {
            server.execute("", "FLUSH PRIVILEGES")?;
            let me = [("host", host.as_str()), ("user", user), ("password", PASSWORD)];
            anyhow::Ok(by_tcp(server, &[&me[..], more].concat()))
        };
        // The server has no TLS; nobody has said that this is fine, so its word for its key is not taken.
        let error = refused(&with(&[("tls", "prefer")])?);
        assert_eq!(error.class, Class::Authentication, "{user}: {error}");
        assert!(error.message.contains("`server_public_key`"), "{user}: {error}");
        assert!(!has_tls(&with(&[("tls", "prefer"), ("server_public_key", text(&key))])?)?);
        assert!(!has_tls(&with(&[("tls", "disable")])?)?);
        let bad = refused(&with(&[("tls", "disable"), ("server_public_key", text(other.path()))])?);
        assert!(bad.message.contains("public key is not one"), "{user}: {bad}");
    }
    Ok(())
}

#[test]
fn accounts_that_ask_for_tls_or_a_certificate_get_it() -> Result<()> {
    for server in guarded() {
        let me = |user, more: &[(&str, &str)]| {
            by_tcp(server, &[&[("user", user), ("password", PASSWORD)], more].concat())
        };
        assert!(has_tls(&me("secret", &[("tls", "prefer")]))?);
        assert_eq!(refused(&me("secret", &[("tls", "disable")])).class, Class::Authentication);
        let authority = server.authority()?;
        let with = |issued: &Issued| {
            let (cert, key) = (text(&issued.certificate).to_owned(), text(&issued.key).to_owned());
            me("certified", &[("tls", "require"), ("tls_cert", &cert), ("tls_key", &key)])
        };
        assert!(has_tls(&with(&authority.issue(&Request::new("certified", &[]))?))?);
        let other = refused(&with(&authority.issue(&Request::new("somebody", &[]))?));
        assert_eq!(other.class, Class::Authentication, "{other}");
        assert_eq!(refused(&me("certified", &[("tls", "require")])).class, Class::Authentication);
    }
    Ok(())
}

#[test]
fn an_account_that_cannot_be_used_says_why() -> Result<()> {
    for server in guarded() {
        let me = |user| by_tcp(server, &[("user", user), ("password", PASSWORD)]);
        let locked = refused(&me("locked"));
        assert_eq!(locked.class, Class::Authentication, "{locked}");
        assert!(locked.hint.contains("ACCOUNT UNLOCK"), "{locked}");
        let expired = refused(&me("expired"));
        assert_eq!(expired.class, Class::Authentication, "{expired}");
        assert!(expired.hint.contains("expired"), "{expired}");
        let missing = open(&by_tcp(server, &[]), "no_such_database").err().context("there is none")?;
        assert_eq!((missing.code, missing.class), (1049, Class::MissingObject));
        assert!(missing.hint.contains("Create the database") && missing.message.contains("no_such_database"));
    }
    Ok(())
}

#[test]
fn a_server_that_never_answers_ends_at_the_timeout() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    for tls in ["disable", "prefer", "require"] {
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
fn a_server_that_is_not_there_or_is_another_kind_is_named() -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let nobody = refused(&settings(&[("host", "127.0.0.1"), ("port", &port), ("user", "u")]));
    assert_eq!((nobody.failure, nobody.class), (Failure::Lost, Class::Connection));
    assert!(nobody.message.contains(&port) && nobody.message.contains("refused"), "{nobody}");
    let socket = refused(&settings(&[("socket", "/nowhere/at/all"), ("user", "u")]));
    assert!(socket.message.contains("/nowhere/at/all"), "{socket}");
    // A server that talks first, and something else.
    let other = TcpListener::bind("127.0.0.1:0")?;
    let port = other.local_addr()?.port().to_string();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in other.incoming().flatten() {
            let _ = (&stream).write_all(b"220 mail.example.org ESMTP ready\r\n");
        }
    });
    let mail = refused(&settings(&[("host", "127.0.0.1"), ("port", &port), ("user", "u")]));
    assert_eq!(mail.failure, Failure::Lost, "{mail}");
    Ok(())
}
