use proptest::prelude::*;
use rstest::rstest;

use super::super::{Key, KeyId, KeyRing, MAX_KEY_ID_LENGTH, MAX_PASSWORD_BYTES, Plaintext};
use super::{Ciphertext, DecryptError, Location, MalformedCiphertext};

const HERE: Location<'_> = Location { table: "credentials", row: "payroll", column: "password" };

fn ring(writing: &str, reading: &[&str]) -> KeyRing {
    let key = |id: &&str| key_filled_with_its_own_id(id);
    KeyRing::new(key(&writing), reading.iter().map(key).collect()).unwrap()
}

/// Two rings that name the same id hold the same key.
fn key_filled_with_its_own_id(id: &str) -> Key {
    let bytes: Vec<u8> = id.bytes().cycle().take(32).collect();
    Key::copy_of(KeyId::parse(id).unwrap(), &bytes).unwrap()
}

fn secret(text: &str) -> Plaintext {
    Plaintext::new(text.to_owned())
}

fn place((table, row, column): &(String, String, String)) -> Location<'_> {
    Location { table, row, column }
}

fn rejected(key_id: &str) -> DecryptError {
    DecryptError::Rejected { key_id: KeyId::parse(key_id).unwrap() }
}

#[test]
fn what_was_encrypted_is_decrypted_in_the_same_place() {
    let ring = ring("k1", &[]);
    let stored = ring.encrypt(HERE, &secret("pæssword")).unwrap();
    assert_eq!(ring.decrypt(HERE, &stored).unwrap().expose(), "pæssword");
    assert_eq!(stored.key_id().unwrap().as_str(), "k1");
}

#[test]
fn the_same_secret_never_looks_the_same() {
    let ring = ring("k1", &[]);
    let texts: std::collections::HashSet<String> =
        (0..100).map(|_| ring.encrypt(HERE, &secret("x")).unwrap().as_str().to_owned()).collect();
    assert_eq!(texts.len(), 100);
}

#[rstest]
#[case::another_row(Location { row: "low", ..HERE })]
#[case::another_column(Location { column: "username", ..HERE })]
#[case::another_table(Location { table: "settings", ..HERE })]
#[case::a_border_moved(Location { table: "credentialsp", row: "ayroll", ..HERE })]
#[case::parts_swapped(Location { table: HERE.row, row: HERE.table, ..HERE })]
fn a_moved_ciphertext_is_rejected(#[case] elsewhere: Location<'_>) {
    let ring = ring("k1", &[]);
    let stored = ring.encrypt(HERE, &secret("s")).unwrap();
    assert_eq!(ring.decrypt(elsewhere, &stored).unwrap_err(), rejected("k1"));
}

#[test]
fn a_ciphertext_under_another_key_id_is_rejected_even_when_the_key_is_the_same() {
    let twin = Key::copy_of(KeyId::parse("k2").unwrap(), key_filled_with_its_own_id("k1").expose()).unwrap();
    let ring = KeyRing::new(key_filled_with_its_own_id("k1"), vec![twin]).unwrap();
    let stored = ring.encrypt(HERE, &secret("s")).unwrap();
    let renamed = Ciphertext::from_stored(stored.as_str().replacen("v1:k1:", "v1:k2:", 1));
    assert_eq!(ring.decrypt(HERE, &renamed).unwrap_err(), rejected("k2"));
}

#[test]
fn another_key_of_the_same_id_is_told_from_a_missing_key() {
    let stored = ring("k1", &[]).encrypt(HERE, &secret("s")).unwrap();

    let impostor = Key::generate(KeyId::parse("k1").unwrap()).unwrap();
    let same_id = KeyRing::new(impostor, Vec::new()).unwrap();
    assert_eq!(same_id.decrypt(HERE, &stored).unwrap_err(), rejected("k1"));

    let error = ring("k2", &[]).decrypt(HERE, &stored).unwrap_err();
    assert_eq!(error, DecryptError::UnknownKey { key_id: KeyId::parse("k1").unwrap() });
    assert_eq!(error.to_string(), "the key file has no key `k1`");
}

#[test]
fn a_reading_key_decrypts_and_only_the_writing_key_is_current() {
    let old = ring("k1", &[]).encrypt(HERE, &secret("s")).unwrap();
    let ring = ring("k2", &["k1"]);
    assert_eq!(ring.decrypt(HERE, &old).unwrap().expose(), "s");
    assert!(!ring.is_current(&old));
    assert!(ring.is_current(&ring.encrypt(HERE, &secret("s")).unwrap()));
    assert!(!ring.is_current(&Ciphertext::from_stored("hunter2")));
}

#[test]
fn every_single_changed_bit_is_noticed() {
    let ring = ring("k1", &[]);
    let stored = ring.encrypt(HERE, &secret("four")).unwrap();
    for index in 0..stored.as_str().len() {
        for bit in 0..8 {
            let mut bytes = stored.as_str().as_bytes().to_vec();
            bytes[index] ^= 1 << bit;
            let changed = String::from_utf8_lossy(&bytes).into_owned();
            let result = ring.decrypt(HERE, &Ciphertext::from_stored(changed));
            assert!(result.is_err(), "bit {bit} of byte {index} may be changed");
        }
    }
}

#[test]
fn every_single_changed_bit_of_the_bytes_is_rejected() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    let ring = ring("k1", &[]);
    let stored = ring.encrypt(HERE, &secret("four")).unwrap();
    let bytes = STANDARD.decode(stored.as_str().strip_prefix("v1:k1:").unwrap()).unwrap();
    for index in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[index / 8] ^= 1 << (index % 8);
        let changed = Ciphertext::from_stored(format!("v1:k1:{}", STANDARD.encode(&changed)));
        assert_eq!(ring.decrypt(HERE, &changed).unwrap_err(), rejected("k1"));
    }
}

#[rstest]
#[case::a_password_stored_as_it_is("hunter2", MalformedCiphertext::Form)]
#[case::another_version("v2:k1:AAAA", MalformedCiphertext::Form)]
#[case::no_key_id("v1:AAAA", MalformedCiphertext::Form)]
#[case::bad_base64("v1:k1:hunter2!", MalformedCiphertext::Base64)]
#[case::no_padding("v1:k1:AA", MalformedCiphertext::Base64)]
#[case::nothing("v1:k1:", MalformedCiphertext::TooShort)]
#[case::one_byte_short("v1:k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", MalformedCiphertext::TooShort)]
fn what_is_no_ciphertext_is_malformed_and_not_shown(#[case] text: &str, #[case] expected: MalformedCiphertext) {
    let stored = Ciphertext::from_stored(text);
    let error = ring("k1", &[]).decrypt(HERE, &stored).unwrap_err();
    assert_eq!(error, DecryptError::Malformed(expected));
    assert!(!format!("{error} {error:?} {stored:?}").contains("hunter2"));
}

#[test]
fn debug_of_a_ciphertext_is_short() {
    let stored = ring("k1", &[]).encrypt(HERE, &secret("s")).unwrap();
    assert_eq!(format!("{stored:?}"), "Ciphertext(v1:k1:…)");
}

#[test]
fn the_longest_password_under_the_longest_key_id_fits_the_column() {
    let ring = ring(&"k".repeat(MAX_KEY_ID_LENGTH), &[]);
    let longest = Plaintext::password("x".repeat(MAX_PASSWORD_BYTES)).unwrap();
    assert_eq!(ring.encrypt(HERE, &longest).unwrap().as_str().len(), 1000);
}

proptest! {
    #[test]
    fn any_text_comes_back_from_any_place(text in "(?s).{0,300}", table in ".{0,20}", row in ".{0,100}", column in ".{0,20}") {
        let ring = ring("k1", &["k0"]);
        let here = Location { table: &table, row: &row, column: &column };
        let stored = ring.encrypt(here, &secret(&text)).unwrap();
        let decrypted = ring.decrypt(here, &stored).unwrap();
        prop_assert_eq!(decrypted.expose(), text);
    }

    #[test]
    fn any_other_place_is_rejected(here in ("[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}"), there in ("[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}")) {
        prop_assume!(here != there);
        let ring = ring("k1", &[]);
        let stored = ring.encrypt(place(&here), &secret("s")).unwrap();
        prop_assert!(ring.decrypt(place(&there), &stored).is_err());
    }

    #[test]
    fn no_stored_text_panics(text in "(v1:)?.{0,60}") {
        prop_assert!(ring("k1", &[]).decrypt(HERE, &Ciphertext::from_stored(text)).is_err());
    }
}
