#include "pg/postgres.hpp"

#include "pg/identity.hpp"

namespace automation::pg {

namespace {

// Undone at the end of the nest level.
void set_for_scope(const char *name, const char *value)
{
	set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

// As an abort would: what the code within has set for the session must not outlive it either.
void leave_nest_level(int level) noexcept
{
	detail::run_guarded_noexcept(
		[](void *nest_level) { AtEOXact_GUC(false, *static_cast<int *>(nest_level)); }, &level);
}

bool settings_are_ordinary()
{
	return DateStyle == USE_ISO_DATES && IntervalStyle == INTSTYLE_POSTGRES &&
		extra_float_digits == 1 && bytea_output == BYTEA_OUTPUT_HEX &&
		strcmp(pg_get_timezone_name(session_timezone), "UTC") == 0;
}

} // namespace

ActAs::ActAs(Oid role, Manner manner) : nest_level_(0)
{
	GetUserIdAndSecContext(&role_, &security_);
	const int added = manner == Manner::restricted ? SECURITY_RESTRICTED_OPERATION : 0;
	SetUserIdAndSecContext(role, security_ | SECURITY_LOCAL_USERID_CHANGE | added);
}

ActAs::ActAs(Oid role, Manner manner, const std::string &search_path) : ActAs(role, manner)
{
	nest_level_ = guard([&] {
		const int level = NewGUCNestLevel();
		set_for_scope("search_path", search_path.c_str());
		return level;
	});
}

ActAs::~ActAs()
{
	if (std::uncaught_exceptions() > exceptions_)
		return;
	if (nest_level_)
		leave_nest_level(nest_level_);
	SetUserIdAndSecContext(role_, security_);
}

OrdinarySettings::OrdinarySettings(Need need)
{
	if (need == Need::none || settings_are_ordinary())
		return;
	nest_level_ = guard([] {
		const int level = NewGUCNestLevel();
		set_for_scope("DateStyle", "ISO");
		set_for_scope("IntervalStyle", "postgres");
		set_for_scope("extra_float_digits", "1");
		set_for_scope("bytea_output", "hex");
		set_for_scope("TimeZone", "UTC");
		return level;
	});
}

OrdinarySettings::~OrdinarySettings()
{
	if (nest_level_ && std::uncaught_exceptions() == exceptions_)
		leave_nest_level(nest_level_);
}

BriefLockWaits::BriefLockWaits()
	: nest_level_(guard([] {
		  const int level = NewGUCNestLevel();
		  set_for_scope("lock_timeout", "200ms");
		  return level;
	  }))
{
}

BriefLockWaits::~BriefLockWaits()
{
	if (std::uncaught_exceptions() == exceptions_)
		leave_nest_level(nest_level_);
}

bool has_rights_of_session(Oid role)
{
	return guard([&] {
		return has_privs_of_role(role, GetUserId()) && has_privs_of_role(role, GetOuterUserId()) &&
			has_privs_of_role(role, GetSessionUserId());
	});
}

Oid extension_owner()
{
	return guard([] {
		const Oid schema = get_namespace_oid("automation", true);
		if (!OidIsValid(schema))
			return InvalidOid;
		HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
		if (!HeapTupleIsValid(tuple))
			return InvalidOid;
		const Oid owner = reinterpret_cast<Form_pg_namespace>(GETSTRUCT(tuple))->nspowner;
		ReleaseSysCache(tuple);
		return owner;
	});
}

std::string session_user_name()
{
	return guard(
		[] { return static_cast<const char *>(GetUserNameFromId(GetSessionUserId(), false)); });
}

} // namespace automation::pg
