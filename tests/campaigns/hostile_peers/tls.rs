//! Servers over TLS: only a server that proves the name in `base-url` to a root that the system
//! trusts receives anything. Roots come from the system's store, which `SSL_CERT_FILE` replaces;
//! the variable belongs to the process, so the part that connects runs in its own process.

use std::io::{self, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use maitred::calcom::connect::Settings;
use maitred::domain::dialect::Dialect;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use super::peer_fixture::{client, settings};
use crate::fixture::http_server::{Peer, Reply, json_response, read_call};
use crate::fixture::own_process;
use crate::fixture::test_world::KEY;

/// Tells the child where the server is.
const CHILD: &str = "MAITRED_TEST_TLS";

/// A server over TLS that records what it receives and answers each call with the key's user.
struct Server {
    port: u16,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&received);
        thread::spawn(move || {
            for mut socket in listener.incoming().map_while(Result::ok) {
                let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = Stream::new(&mut connection, &mut socket);
                let _ended = answer(&mut stream, &sink);
            }
        });
        Self { port, received }
    }
}

fn answer(
    stream: &mut Stream<'_, ServerConnection, std::net::TcpStream>,
    received: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let asked = read_call(stream)?;
    received.lock().unwrap().push(asked.text);
    stream.write_all(&json_response(
        "200 OK",
        r#"{"status":"success","data":{"id":12}}"#,
    ))?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn new_authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[test]
fn the_key_is_sent_only_to_a_server_with_a_valid_certificate() {
    if let Ok(address) = std::env::var(CHILD) {
        return connect_and_report(&address);
    }
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (new_authority("ours"), new_authority("other"));
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, ours.pem()).unwrap();
    let today = |_: &mut CertificateParams| {};
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    };
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
    type CertificateChange = fn(&mut CertificateParams);
    // The name in the certificate, its issuer, its validity, and the client's message.
    let rows: [(
        &str,
        &CertifiedIssuer<'_, KeyPair>,
        CertificateChange,
        Option<&str>,
    ); 6] = [
        ("localhost", &ours, today, None),
        ("api.cal.com", &ours, today, Some("not valid for")),
        (
            "localhost.evil.example",
            &ours,
            today,
            Some("not valid for"),
        ),
        ("localhost", &other, today, Some("UnknownIssuer")),
        ("localhost", &ours, expired, Some("expired")),
        ("localhost", &ours, early, Some("not valid yet")),
    ];
    for (name, issuer, change, refused) in rows {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, issuer).unwrap();
        let server = Server::start(&certificate, &key);
        let output = run_child(&format!("https://localhost:{}", server.port), &roots);
        let received = server.received.lock().unwrap().clone();
        match refused {
            None => {
                assert!(output.contains("me: 12"), "{name}: {output}");
                assert!(received[0].contains(KEY), "the right one is told");
            }
            Some(why) => {
                assert!(
                    output.contains("Cal.com cannot be reached"),
                    "{name}: {output}"
                );
                assert!(output.contains(why), "{name}: {output}");
                assert!(received.is_empty(), "{name}: {received:?}");
            }
        }
        assert!(!output.contains(&KEY[9..]), "{output}");
    }
    // Signed by an issuer that the system does not know.
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = Server::start(&params.self_signed(&key).unwrap(), &key);
    let output = run_child(&format!("https://localhost:{}", server.port), &roots);
    assert!(output.contains("Cal.com cannot be reached"), "{output}");
    assert!(server.received.lock().unwrap().is_empty());
}

#[test]
fn a_server_without_tls_at_an_https_address_receives_nothing() {
    let peer = Peer::start(|_| Reply::Bytes(json_response("200 OK", "{}")));
    let address = peer.address.replace("http://", "https://");
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, new_authority("ours").pem()).unwrap();
    let name = "hostile_peers::tls::the_key_is_sent_only_to_a_server_with_a_valid_certificate";
    let output = run_named_child(name, &address, &roots);
    assert!(output.contains("Cal.com cannot be reached"), "{output}");
    assert!(peer.calls().is_empty(), "{:?}", peer.calls());
}

/// A private authority that the system does not know, named in the configuration.
#[test]
fn certificates_of_the_configured_file_are_trusted_too() {
    let folder = tempfile::tempdir().unwrap();
    let ours = new_authority("ours");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, ours.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = Server::start(&params.signed_by(&key, &ours).unwrap(), &key);
    let address = format!("https://localhost:{}", server.port);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let open = |ca_file| {
        let settings = settings(&address, Dialect::V2, Duration::from_secs(10));
        maitred::calcom::connect::connect(Settings {
            ca_file,
            ..settings
        })
    };
    let calendar = open(Some(file.clone())).unwrap();
    assert_eq!(runtime.block_on(calendar.current_user()).unwrap().id.0, 12);
    let refused = runtime
        .block_on(open(None).unwrap().current_user())
        .unwrap_err();
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
    for (text, why) in [
        ("", "no certificate"),
        ("-----BEGIN CERT", "no certificate"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = open(Some(file.clone())).err().unwrap().to_string();
        assert!(
            error.starts_with("ca-file: ") && error.contains(why),
            "{error}"
        );
    }
    let absent = open(Some(folder.path().join("absent"))).err().unwrap();
    assert!(absent.to_string().contains("cannot be read"), "{absent}");
}

fn run_child(address: &str, roots: &Path) -> String {
    run_named_child(
        "hostile_peers::tls::the_key_is_sent_only_to_a_server_with_a_valid_certificate",
        address,
        roots,
    )
}

fn run_named_child(name: &str, address: &str, roots: &Path) -> String {
    let mut child = own_process::command(name);
    child
        .env(CHILD, address)
        .env("SSL_CERT_FILE", roots)
        .env_remove("SSL_CERT_DIR");
    own_process::run(child)
}

/// Runs in the child: requests the key's user, and prints the result.
fn connect_and_report(address: &str) {
    let calendar = client(address, Dialect::V2, Duration::from_secs(10));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(calendar.current_user()) {
        Ok(me) => println!("me: {}", me.id),
        Err(error) => println!("error: {error}"),
    }
}
