//! Protected values and the keys behind them.

use crate::Code;

/// A key field protected so that it is no key any more.
pub static KEY_FIELD_PROTECTION: Code = Code {
    id: "ONR-340",
    title: "a key field cannot be protected so",
    reason: "A key field gives every row its own key, the same one for as long as the version lives. A mask makes different values equal; what is encrypted gets another form with the next encryption key.",
    example: "key: [email]\nfields:\n  email: { type: string, from: email, protect: { encrypt: crm_2026 } }",
    remedy: "Use `protect: { hmac: KEY }`, or choose another key.",
};

/// A secret that is guessed too easily.
pub static SECRET_SHORT: Code = Code {
    id: "ONR-341",
    title: "the secret behind a key is too short",
    reason: "Who guesses a secret reads everything that it protects. One of fewer than 16 bytes encrypts nothing; a pseudonym that is made with one is published as before, with a warning, since another secret would give it another value.",
    example: "keys: { crm_2026: { env: CRM_KEY } }   # CRM_KEY=secret",
    remedy: "Make one at random, e.g. `openssl rand -hex 32`; once values are published, under a name of its own.",
};

/// Another secret under a name that values were published with.
pub static SECRET_REPLACED: Code = Code {
    id: "ONR-342",
    title: "a key has another secret than before",
    reason: "Published values name their key. With another secret under the same name pseudonyms no longer join, keys are no longer compacted, and nobody can tell which secret reads an encrypted value.",
    example: "keys: { crm_2026: { file: /run/secrets/crm } }   # and the file was overwritten",
    remedy: "Restore the secret; declare the new one under a name of its own, and let the product's file refer to that.",
};

/// A value that cannot be read back.
pub static NOT_DECRYPTED: Code = Code {
    id: "ONR-343",
    title: "a value cannot be decrypted",
    reason: "It is not of the form `KEY:...`, or it was not made with this secret for this product and field, or it was altered. Which of these it is cannot be told apart.",
    example: "onramp decrypt --product commerce.orders.v2 --field email   # values of commerce.orders.v1",
    remedy: "Name the product (with its version) and the field (with its path) that the value comes from, and the key's own secret.",
};

/// A value under a key that was not handed over.
pub static KEY_NOT_GIVEN: Code = Code {
    id: "ONR-344",
    title: "the key of a value is not there",
    reason: "A value begins with its key's name; the product may have had several keys, one after another.",
    example: "onramp decrypt --key crm_2026=env:CRM_KEY ...   # and a value begins with crm_2025:",
    remedy: "Hand that key over too: `--key` may be said again.",
};

/// A path that leads to no field.
pub static UNKNOWN_FIELD: Code = Code {
    id: "ONR-345",
    title: "no such field",
    reason: "A command was told a field that the product's file does not have.",
    example: "onramp decrypt --product commerce.orders.v1 --field adress.street",
    remedy: "Name one of the product's fields, by the path to it: `address.street`.",
};

/// What was protected is published as it is.
pub static UNPROTECTED_NOW: Code = Code {
    id: "ONR-346",
    title: "a protected field lost its protection",
    reason: "What was protected leaves the gateway as it is from now on, and its type need not tell anybody: a pseudonym and an address are both a string. So the file gives the reason.",
    example: "email: { type: string, from: email } # had protect: { hmac: pii_2026 } when it was published",
    remedy: "Restore `protect`, or say why nothing protects the field: `protect: { none: \"reason\" }`.",
};

/// Codes in order.
pub const ALL: &[&Code] = &[
    &KEY_FIELD_PROTECTION,
    &SECRET_SHORT,
    &SECRET_REPLACED,
    &NOT_DECRYPTED,
    &KEY_NOT_GIVEN,
    &UNKNOWN_FIELD,
    &UNPROTECTED_NOW,
];
