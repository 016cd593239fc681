//! Somebody on the way, who says what no honest server says: he is told nothing, and nothing is run for him.

mod support;

use anyhow::Result;
use runsheet_sdk::Applied;
use std::net::TcpListener;
use support::{open, settings};

/// A password that is found wherever it should not be.
const PASSWORD: &str = "s3cr3t";

/// Messages of the protocol.
const SCRAM: &[u8] = b"R\0\0\0\x17\0\0\0\x0ASCRAM-SHA-256\0\0";
const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const KERBEROS: &[u8] = b"R\0\0\0\x08\0\0\0\x07";
const ERROR: &[u8] = b"E\0\0\0\x0ESERROR\0Mx\0\0";
const FIRST: &[u8] = b"R\0\0\0\x1F\0\0\0\x0Br=another,s=YWJj,i=4096";

/// Somebody on the way who answers each of our messages with one of these, and then is silent.
fn impostor(answers: &'static [&'static [u8]]) -> Result<String> {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            for answer in answers {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
            }
            // Until the other side is gone.
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    Ok(port)
}

#[test]
fn an_impostor_is_not_let_in() -> Result<()> {
    type Case = (&'static str, &'static [&'static [u8]], &'static str);
    let cases: &[Case] = &[
        ("disable", &[SCRAM, OK], "without proving that it knows the password"),
        ("disable", &[SCRAM, FIRST], "not as it should be"),
        ("disable", &[KERBEROS], "does not have (Kerberos, SSPI)"),
        ("require", &[ERROR], "answered the wish for TLS with an error"),
        ("require", &[b"N"], "the server has no TLS"),
        ("require", &[b"SR\0\0\0\x08\0\0\0\0"], "the TLS handshake failed"),
    ];
    for (tls, answers, why) in cases {
        let port = impostor(answers)?;
        let settings = settings(&[
            ("host", "127.0.0.1"),
            ("port", &port),
            ("user", "u"),
            ("password", PASSWORD),
            ("tls", tls),
            ("connect_timeout", "5s"),
        ]);
        let error = open(&settings, "postgres").err().expect("he is not let in");
        assert_eq!(error.applied, Applied::No);
        assert!(!format!("{error:?}").contains(PASSWORD));
        assert!(error.message.contains(why), "{why}: {error}");
    }
    Ok(())
}
