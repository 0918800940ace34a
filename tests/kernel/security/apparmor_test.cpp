#include "security/apparmor.hpp"

#include "base/sys/file.hpp"

#include <catch2/catch.hpp>

TEST_CASE("a profile is taken where AppArmor is enabled, and refused by name elsewhere") {
    const auto text = base::sys::read_host_file("/sys/module/apparmor/parameters/enabled");
    const auto checked = security::check_apparmor("garden-default");
    if (text && text->starts_with('Y')) {
        CHECK(checked);
    } else {
        REQUIRE_FALSE(checked);
        CHECK(checked.error().kind == base::Errc::unsupported);
        CHECK(checked.error().text.find("garden-default") != std::string::npos);
        CHECK(checked.error().text.find("AppArmor") != std::string::npos);
    }
    for (const char* bad : {"", "two words", "line\nend", "tab\t"})
        CHECK(security::check_apparmor(bad).error().kind == base::Errc::invalid);
    CHECK(security::check_apparmor(std::string(256, 'a')).error().kind == base::Errc::invalid);
}
