//! The self-test on this machine.

#[test]
fn every_guarantee_holds_on_this_machine() {
    let test = sandbox::check();
    println!("{test}");
    assert!(test.passed(), "\n{test}");
    assert!(test.guarantees.len() >= 15, "\n{test}");
}
