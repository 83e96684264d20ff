//! Rules for functions of C++ and Rust programs, written as people write them.

mod built;

use built::{Workshop, message, names, program};

#[test]
fn a_cpp_function_is_found_by_any_unique_end_of_its_name() {
    let bytes = Workshop::new().cpp(
        "#include <string>
        namespace app {
            namespace net { __attribute__((noinline)) int fetch(const std::string &url) { return url.size(); } }
            __attribute__((noinline)) int load(int id) { return id; }
            __attribute__((noinline)) double load(double id) { return id; }
            struct Box { int id; __attribute__((noinline)) int get() const { return id; } };
            template <typename T> __attribute__((noinline)) T twice(T value) { return value + value; }
        }
        int main(int argc, char **argv) {
            return app::net::fetch(argv[0]) + app::load(argc) + (int)app::load(1.5 * argc) + app::Box{argc}.get() + app::twice(argc);
        }",
    );
    let objects = [program(&bytes)];
    for rule in ["fetch", "net::fetch", "app::net::fetch"] {
        assert!(names(rule, &objects)[0].starts_with("app::net::fetch("), "{rule}");
    }
    assert_eq!(names("load(int)", &objects), ["app::load(int)"]);
    assert_eq!(names("app::load(double)", &objects), ["app::load(double)"]);
    assert_eq!(names("Box::get", &objects), ["app::Box::get() const"]);
    for rule in ["twice", "app::twice<int>", "int app::twice<int>(int)"] {
        assert_eq!(names(rule, &objects), ["app::twice<int>(int)"], "{rule}");
    }
    let text = message("app::load", &objects);
    assert!(text.contains("any of 2 functions") && text.contains("app::load(int) (0x"), "{text}");
    let text = message("app::net::fecth", &objects);
    assert!(text.contains("nearest: app::net::fetch("), "{text}");
}

#[test]
fn a_rust_function_is_found_under_either_mangling() {
    let workshop = Workshop::new();
    workshop.write(
        "app.rs",
        "mod net {
            #[inline(never)] pub fn fetch(id: usize) -> usize { std::hint::black_box(id) }
            pub struct Client(pub usize);
            impl Client { #[inline(never)] pub fn send_all(&self) -> usize { std::hint::black_box(self.0) } }
            pub trait Wait { fn wait_long(&self) -> usize; }
            impl Wait for Client { #[inline(never)] fn wait_long(&self) -> usize { std::hint::black_box(self.0 + 1) } }
        }
        use net::Wait;
        fn main() {
            let client = net::Client(std::env::args().count());
            println!(\"{} {} {}\", net::fetch(client.0), client.send_all(), client.wait_long());
        }",
    );
    for mangling in ["v0", "legacy"] {
        // The compiler takes the older mangling only with this switch.
        let unstable = if mangling == "legacy" { "-Zunstable-options" } else { "-Copt-level=1" };
        let line = format!("rustc -O -Csymbol-mangling-version={mangling} {unstable} -o app app.rs");
        workshop.run(&format!("env RUSTC_BOOTSTRAP=1 {line}"));
        let bytes = workshop.read("app");
        let objects = [program(&bytes)];
        for rule in ["app::net::fetch", "net::fetch"] {
            assert_eq!(names(rule, &objects), ["app::net::fetch"], "{rule}, {mangling}");
        }
        for rule in ["send_all", "Client::send_all", "app::net::Client::send_all"] {
            assert_eq!(names(rule, &objects).len(), 1, "{rule}, {mangling}");
        }
        for rule in ["wait_long", "Client::wait_long", "<app::net::Client as app::net::Wait>::wait_long"] {
            assert_eq!(
                names(rule, &objects),
                ["<app::net::Client as app::net::Wait>::wait_long"],
                "{rule}, {mangling}"
            );
        }
        let text = message("new", &objects);
        assert!(text.contains(" more") && text.contains("any of "), "{text}");
    }
}
