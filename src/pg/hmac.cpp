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
bool compute(pg_hmac_ctx *context, std::string_view key, std::string_view text, uint8 *digest)
{
	return pg_hmac_init(context, bytes_of(key), key.size()) >= 0 &&
		pg_hmac_update(context, bytes_of(text), text.size()) >= 0 &&
		pg_hmac_final(context, digest, PG_SHA256_DIGEST_LENGTH) >= 0;
}

} // namespace

std::string hmac_sha256(std::string_view key, std::string_view text)
{
	uint8 digest[PG_SHA256_DIGEST_LENGTH];
	guard([&] {
		// The context needs an owner, and outside of a transaction there is none.
		const ResourceOwner before = CurrentResourceOwner;
		const ResourceOwner owner = ResourceOwnerCreate(before, "pg_automation HMAC");
		CurrentResourceOwner = owner;
		pg_hmac_ctx *context = pg_hmac_create(PG_SHA256);
		const bool done = context && compute(context, key, text, digest);
		pg_hmac_free(context);
		CurrentResourceOwner = before;
		ResourceOwnerDelete(owner);
		if (!done)
			elog(ERROR, "could not compute HMAC");
	});
	return {reinterpret_cast<const char *>(digest), sizeof digest};
}

} // namespace automation::pg
