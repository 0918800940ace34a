// Simple signing with real OpenPGP keys, made and used by gpg; verified by gpgv as gardend does it.
#include "rootfs/trust/openpgp.hpp"

#include "base/fail.hpp"
#include "base/program.hpp"
#include "base/sys/file.hpp"
#include "rootfs/trust/judge.hpp"
#include "rootfs/trust/statement.hpp"
#include "tests/support/needs.hpp"
#include "tests/unit/rootfs/signer.hpp"

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <thread>

#include <catch2/catch.hpp>

namespace fs = std::filesystem;
using rootfs::trust::Policy;
using rootfs::trust::verify_openpgp;

namespace {

bool have_gnupg() {
    if (fs::exists("/usr/bin/gpg") && fs::exists("/usr/bin/gpgv")) return true;
    std::cout << "SKIP: gpg or gpgv is not installed" << std::endl;
    return false;
}

// A home of GnuPG with one key; its agent ends with it.
class Signer {
  public:
    explicit Signer(const std::string& expiry = "0") {
        char name[] = "/tmp/cloche-gpg-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        home_ = name;
        run({"--quick-generate-key", "tester <tester@example.com>", "ed25519", "sign", expiry}, "");
        keyring = home_ + "/keys";
        run({"--output", keyring, "--export"}, "");
    }

    ~Signer() {
        (void)base::run_program(
                {.path = "/usr/bin/gpgconf", .arguments = {"--homedir", home_, "--kill", "all"}});
        fs::remove_all(home_);
    }

    Signer(const Signer&) = delete;
    Signer& operator=(const Signer&) = delete;

    std::string sign(const std::string& text) const {
        return run({"--compress-algo", "none", "--sign"}, text);
    }

    std::string keyring;

  private:
    std::string run(std::vector<std::string> words, const std::string& input) const {
        std::vector<std::string> all{"--homedir", home_, "--batch", "--yes", "--passphrase", ""};
        all.insert(all.end(), words.begin(), words.end());
        const auto end = base::run_program(
                {.path = "/usr/bin/gpg",
                 .arguments = all,
                 .environment = {"PATH=/usr/bin:/bin"},
                 .input = input});
        REQUIRE(end);
        INFO(end->complaint);
        REQUIRE(end->code == 0);
        return end->output;
    }

    std::string home_;
};

std::string statement(const std::string& reference, const std::string& digest) {
    return R"({"critical":{"identity":{"docker-reference":")" + reference +
           R"("},"image":{"docker-manifest-digest":")" + digest +
           R"("},"type":"atomic container signature"},"optional":{}})";
}

rootfs::trust::Subject subject() {
    const auto digest = rootfs::sha256("the image");
    return {.name = {.repository = "registry.example.com/team/app", .tag = "1", .digest = ""},
            .top = digest,
            .selected = digest};
}

Policy policy_of(const Signer& signer) {
    auto parsed = Policy::parse(
            R"({"version":1,"default":[{"type":"simple-signing","keyring":")" + signer.keyring +
                    R"(","lookaside":"/sigs/"}]})",
            [](const std::string& path) { return base::sys::read_host_file(path); });
    if (!parsed) FAIL(parsed.error().text);
    return std::move(*parsed);
}

std::string place(std::size_t number) {
    const auto hex = std::string(rootfs::hex_of(subject().top));
    return "/sigs/team/app@sha256=" + hex + "/signature-" + std::to_string(number);
}

}  // namespace

TEST_CASE("a message signed by a key of the keyring verifies, and nobody else's does") {
    if (!have_gnupg()) return;
    const Signer alice;
    const Signer mallory;
    const auto good = verify_openpgp(alice.sign("the text"), alice.keyring).value();
    CHECK(good.payload == "the text");
    CHECK(good.fingerprint.size() == 40);
    CHECK_FALSE(verify_openpgp(mallory.sign("the text"), alice.keyring));
    CHECK_FALSE(verify_openpgp("the text", alice.keyring));
    CHECK_FALSE(verify_openpgp("", alice.keyring));
    // Of the packets around it some bits mean nothing; each of the text's own does.
    auto changed = alice.sign("the text");
    const auto at = changed.find("the text");
    REQUIRE(at != std::string::npos);
    changed[at] = 'T';
    CHECK_FALSE(verify_openpgp(changed, alice.keyring));
    CHECK_FALSE(verify_openpgp(alice.sign("the text"), "/no/such/keyring"));
}

TEST_CASE("a key that has expired signs nothing any more") {
    if (!have_gnupg()) return;
    const Signer brief("seconds=1");
    const auto message = brief.sign("the text");
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const auto late = verify_openpgp(message, brief.keyring);
    REQUIRE_FALSE(late);
    CHECK(late.error().text.find("EXPKEYSIG") != std::string::npos);
}

TEST_CASE("simple signing: the first good signature of this digest and name is enough") {
    if (!have_gnupg()) return;
    const Signer alice;
    const Signer mallory;
    const auto policy = policy_of(alice);
    const auto digest = subject().top.get();
    const std::string name = "registry.example.com/team/app:1";
    signer::Shelf shelf;
    const auto judged = [&] { return judge(policy, subject(), shelf).value(); };
    CHECK(judged().reason == "simple-signing: the image has no signature");
    shelf.detached[place(1)] = mallory.sign(statement(name, digest));
    CHECK_FALSE(judged().accepted);
    shelf.detached[place(2)] = alice.sign(statement(name, "sha256:" + std::string(64, '1')));
    CHECK(judged().reason.find("not of this image") != std::string::npos);
    shelf.detached[place(3)] = alice.sign(statement("registry.example.com/other:1", digest));
    CHECK(judged().reason.find("not for this name") != std::string::npos);
    shelf.detached[place(4)] = alice.sign(statement(name, digest));
    const auto accepted = judged();
    CHECK(accepted.accepted);
    REQUIRE(accepted.proofs.size() == 1);
    CHECK(accepted.proofs[0].requirement == "simple-signing");
    CHECK(accepted.proofs[0].key.size() == 40);
    CHECK(accepted.proofs[0].identity == name);
}

TEST_CASE("the verifier's status lines: one good signature and nothing against it") {
    const std::string print(40, 'A');
    const auto line = [](const std::string& words) { return "[GNUPG:] " + words + "\n"; };
    const auto good = line("GOODSIG 1 tester") + line("VALIDSIG " + print + " 2030-01-01 0");
    CHECK(rootfs::trust::read_gpgv_status("gpgv: talk\n" + good).value() == print);
    for (const char* bad :
         {"EXPKEYSIG 1 tester", "REVKEYSIG 1 tester", "BADSIG 1 tester", "ERRSIG 1", "EXPSIG 1",
          "NODATA 1"}) {
        CHECK_FALSE(rootfs::trust::read_gpgv_status(good + line(bad)));
    }
    CHECK_FALSE(rootfs::trust::read_gpgv_status(good + good));
    CHECK_FALSE(rootfs::trust::read_gpgv_status(line("VALIDSIG " + print)));
    CHECK_FALSE(rootfs::trust::read_gpgv_status(""));
}

TEST_CASE("a policy of simple signing names an absolute keyring and a safe place") {
    const auto read = [](const std::string&) { return base::Result<std::string>("keys"); };
    const auto parse = [&](const std::string& members) {
        return Policy::parse(
                R"({"version":1,"default":[{"type":"simple-signing",)" + members + "}]}", read);
    };
    CHECK(parse(R"("keyring":"/k","lookaside":"/sigs")"));
    CHECK(parse(R"("keyring":"/k","lookaside":"https://example.com/sigs")"));
    CHECK_FALSE(parse(R"("keyring":"k","lookaside":"/sigs")"));
    CHECK_FALSE(parse(R"("keyring":"/k","lookaside":"http://example.com/sigs")"));
    CHECK_FALSE(parse(R"("keyring":"/k")"));
    CHECK_FALSE(parse(R"("lookaside":"/sigs")"));
    CHECK_FALSE(parse(R"("keyring":"/k","lookaside":"/sigs","extra":1)"));
}
