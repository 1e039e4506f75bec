#include "pg/postgres.hpp"

#include "pg/error.hpp"
#include "pg/veto.hpp"

namespace automation::pg {

void refuse(const Veto &veto)
{
	guard([&] {
		ereport(ERROR, errcode(ERRCODE_CHECK_VIOLATION),
			errmsg_internal("%s", veto.message.c_str()),
			errdetail_internal("%s", veto.detail.c_str()),
			veto.hint.empty() ? 0 : errhint("%s", veto.hint.c_str()),
			err_generic_string(PG_DIAG_SCHEMA_NAME, veto.schema.c_str()),
			err_generic_string(PG_DIAG_TABLE_NAME, veto.table.c_str()),
			err_generic_string(PG_DIAG_CONSTRAINT_NAME, veto.guard.c_str()));
	});
	pg_unreachable();
}

std::string guard_of(const Error &error)
{
	const std::string guard = error.constraint();
	return !guard.empty() && error.detail().starts_with("Guard \"" + guard + "\"") ? guard : "";
}

std::string reason_of(const Error &error)
{
	const std::string guard = guard_of(error);
	return (guard.empty() ? "" : "guard \"" + guard + "\" refuses: ") + error.message();
}

bool session_is_member_of(const std::string &role)
{
	const char *name = role.c_str();
	return guard([&] {
		const Oid member_of = get_role_oid(name, true);
		return OidIsValid(member_of) && has_privs_of_role(GetOuterUserId(), member_of);
	});
}

} // namespace automation::pg
