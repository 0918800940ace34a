#include "base/base64.hpp"

#include <catch2/catch.hpp>

TEST_CASE("base64 has one spelling for every value") {
    for (const std::string text :
         {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xff\xfe\x00x"})
        CHECK(base::decode_base64(base::encode_base64(text)).value() == text);
    CHECK(base::encode_base64("foob") == "Zm9vYg==");
    CHECK(base::encode_base64("\xfb\xff") == "+/8=");
    CHECK(base::decode_base64url("-_8").value() == "\xfb\xff");
    for (const std::string bad : {"Zm9vYg", "Zm9vYg=", "Zm9vYh==", "Zm9v*g==", "=", "====", "-_8="})
        CHECK_FALSE(base::decode_base64(bad));
    for (const std::string bad : {"+/8", "-_8=", "-_9", "a", "a b"})
        CHECK_FALSE(base::decode_base64url(bad));
}
