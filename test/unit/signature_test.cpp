#include "core/signature.hpp"

#include "failure_of.hpp"

#include <openssl/hmac.h>

using namespace automation::core;

namespace {

std::string hmac_sha256(std::string_view key, std::string_view text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
		reinterpret_cast<const unsigned char *>(text.data()), text.size(), digest, &size);
	return {reinterpret_cast<const char *>(digest), size};
}

std::string signature(std::string_view secrets)
{
	return sign_webhook("msg_p5jXN8AQM9LWM0D4loKWxJek", 1'614'265'330, R"({"test": 2432232314})",
		secrets, hmac_sha256);
}

// As the reference libraries of Standard Webhooks test themselves.
constexpr std::string_view secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

} // namespace

TEST(Signature, is_that_of_the_standard)
{
	EXPECT_EQ(signature(secret), expected);
}

TEST(Signature, there_is_one_for_each_secret)
{
	const std::string other = "whsec_" + std::string(32, 'A');
	const std::string both = signature(std::string(secret) + "\n" + other + "\n");
	EXPECT_EQ(both, std::string(expected) + " " + signature(other));
	EXPECT_NE(signature(other), expected);
}

TEST(Signature, a_bad_secret_is_refused_and_not_shown)
{
	const std::string good(secret);
	for (const std::string &bad : {std::string(), std::string("  "), good.substr(6), good + "=",
			 good + " whsec_short", "whsec_" + std::string(88, 'A')})
		EXPECT_EQ(report(failure_of([&] { signature(bad); })),
			"22023 invalid signing secret | The secret must be \"whsec_\" followed by 24 to 64 "
			"bytes in base64.")
			<< bad;
}
