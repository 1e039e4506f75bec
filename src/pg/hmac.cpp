#include "pg/postgres.hpp"

#include "pg/hmac.hpp"

#include "pg/error.hpp"

namespace automation::pg {

namespace {

const uint8 *bytes_of(std::string_view text)
{
	return reinterpret_cast<const uint8 *>(text.data());
}

// Whether all of it worked; the context is there in any case.
bool compute(
	pg_hmac_ctx *context, std::string_view key, std::string_view text, uint8 *digest, size_t size)
{
	return pg_hmac_init(context, bytes_of(key), key.size()) >= 0 &&
		pg_hmac_update(context, bytes_of(text), text.size()) >= 0 &&
		pg_hmac_final(context, digest, size) >= 0;
}

std::string hmac(pg_cryptohash_type type, size_t size, std::string_view key, std::string_view text)
{
	uint8 digest[PG_SHA256_DIGEST_LENGTH];
	guard([&] {
		// The context needs an owner, and outside of a transaction there is none.
		const ResourceOwner before = CurrentResourceOwner;
		const ResourceOwner owner = ResourceOwnerCreate(before, "pg_automation HMAC");
		CurrentResourceOwner = owner;
		pg_hmac_ctx *context = pg_hmac_create(type);
		const bool done = context && compute(context, key, text, digest, size);
		pg_hmac_free(context);
		CurrentResourceOwner = before;
		ResourceOwnerDelete(owner);
		if (!done)
			elog(ERROR, "could not compute HMAC");
	});
	return {reinterpret_cast<const char *>(digest), size};
}

} // namespace

std::string hmac_sha256(std::string_view key, std::string_view text)
{
	return hmac(PG_SHA256, PG_SHA256_DIGEST_LENGTH, key, text);
}

std::string hmac_sha1(std::string_view key, std::string_view text)
{
	return hmac(PG_SHA1, SHA1_DIGEST_LENGTH, key, text);
}

} // namespace automation::pg
