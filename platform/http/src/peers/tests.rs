use super::TrustedPeers;

fn trusts(list: &str, address: &str) -> bool {
    list.parse::<TrustedPeers>().unwrap().contains(address.parse().unwrap())
}

#[test]
fn nobody_is_trusted_unless_named() {
    assert!(!trusts("", "127.0.0.1"));
    assert!(!trusts("10.0.0.7", "10.0.0.8"));
    assert!(trusts("10.0.0.6, 10.0.0.7", "10.0.0.7"));
}

#[test]
fn a_network_is_all_of_its_addresses() {
    assert!(trusts("10.1.0.0/16", "10.1.255.1"));
    assert!(!trusts("10.1.0.0/16", "10.2.0.1"));
    assert!(trusts("0.0.0.0/0", "8.8.8.8"));
    assert!(!trusts("0.0.0.0/0", "::1"));
    assert!(trusts("::/0", "fe80::1"));
    assert!(trusts("fd00::/8", "fd12::1") && !trusts("fd00::/8", "fe80::1"));
}

#[test]
fn an_old_address_that_came_over_a_new_socket_is_the_same() {
    assert!(trusts("10.0.0.7", "::ffff:10.0.0.7"));
}

#[test]
fn a_list_that_cannot_be_read_names_the_entry() {
    for entry in ["gateway", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/"] {
        let error = format!("10.0.0.1,{entry}").parse::<TrustedPeers>().unwrap_err();
        assert!(error.to_string().contains(entry), "{error}");
    }
}
