//! Names: words joined for Avro.

/// `order-lines`, `deliver_to` -> `OrderLines`, `DeliverTo`.
pub(crate) fn pascal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(['-', '_', '.']) {
        let mut chars = word.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(pascal("order-lines"), "OrderLines");
        assert_eq!(pascal("deliver_to"), "DeliverTo");
    }
}
