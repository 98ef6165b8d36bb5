use super::*;

#[test]
fn rule_10_levels_are_owned_of_all() {
    assert_eq!([0, 99, 100, 299, 300].map(|mine| level(mine, 300, 3)), [0, 0, 1, 2, 2]);
    assert_eq!(level(0, 0, 3), 0);
}

#[test]
fn rule_10_only_what_is_well_above_the_share_is_handed_over() {
    assert_eq!(surplus(300, 300, 1), 0, "alone");
    assert_eq!(surplus(150, 300, 3), 44);
    assert_eq!(surplus(106, 300, 3), 0);
    assert_eq!(surplus(4, 6, 3), 1);
    assert_eq!(surplus(3, 6, 3), 0);
}
