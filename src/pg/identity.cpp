#include "pg/postgres.hpp"

#include "pg/identity.hpp"

namespace automation::pg {

namespace {

// Undone at the end of the nest level.
void set_for_scope(const char *name, const char *value)
{
	set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

int enter_nest_level(const char *search_path)
{
	return guard([&] {
		const int level = NewGUCNestLevel();
		set_for_scope("search_path", search_path);
		return level;
	});
}

// As an abort would: what the code within has set for the session must not outlive it either.
void leave_nest_level(int level) noexcept
{
	detail::run_guarded_noexcept(
		[](void *nest_level) { AtEOXact_GUC(false, *static_cast<int *>(nest_level)); }, &level);
}

Oid engine_role()
{
	const Oid owner = extension_owner();
	if (!OidIsValid(owner))
		guard([] {
			ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("extension \"%s\" does not exist", "pg_automation"));
		});
	return owner;
}

bool is_on_system_path()
{
	return strcmp(namespace_search_path, system_path) == 0;
}

// To the letter what the setting gives, so that a plan made under one of the two serves the other.
void override_search_path()
{
	Oid temporary = InvalidOid, toast = InvalidOid;
	GetTempNamespaceState(&temporary, &toast);
	OverrideSearchPath path{};
	path.schemas = list_make1_oid(PG_CATALOG_NAMESPACE);
	if (OidIsValid(temporary))
		path.schemas = lappend_oid(path.schemas, temporary);
	PushOverrideSearchPath(&path);
	list_free(path.schemas);
}

bool settings_are_ordinary()
{
	return DateStyle == USE_ISO_DATES && IntervalStyle == INTSTYLE_POSTGRES &&
		extra_float_digits == 1 && bytea_output == BYTEA_OUTPUT_HEX &&
		strcmp(pg_get_timezone_name(session_timezone), "UTC") == 0;
}

} // namespace

RightsOf::RightsOf(Oid role, Manner manner)
{
	GetUserIdAndSecContext(&role_, &security_);
	const int added = manner == Manner::restricted ? SECURITY_RESTRICTED_OPERATION : 0;
	SetUserIdAndSecContext(role, security_ | SECURITY_LOCAL_USERID_CHANGE | added);
}

RightsOf::~RightsOf()
{
	if (std::uncaught_exceptions() == exceptions_)
		SetUserIdAndSecContext(role_, security_);
}

ActAs::ActAs(Oid role, Manner manner, const std::string &search_path) : rights_(role, manner)
{
	nest_level_ = enter_nest_level(search_path.c_str());
	// The writer may have turned it off; the code of others answers the same whoever writes.
	if (!row_security)
		guard([] { set_for_scope("row_security", "on"); });
}

// Our own code sets nothing for the session, so that where the path is right already nothing is
// left to be done.
ActAs::ActAs() : rights_(engine_role(), Manner::definer)
{
	if (!is_on_system_path())
		nest_level_ = enter_nest_level(system_path);
}

ActAs::~ActAs()
{
	if (nest_level_ && std::uncaught_exceptions() == exceptions_)
		leave_nest_level(nest_level_);
}

EngineOnly::EngineOnly()
	: rights_(engine_role(), RightsOf::Manner::definer), overrides_(!is_on_system_path())
{
	if (overrides_)
		guard([] { override_search_path(); });
}

EngineOnly::~EngineOnly()
{
	if (overrides_ && std::uncaught_exceptions() == exceptions_)
		detail::run_guarded_noexcept([](void *) { PopOverrideSearchPath(); }, nullptr);
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

void require_role(Oid role)
{
	guard([&] {
		if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
			ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("role with OID %u does not exist", role));
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

Oid current_role()
{
	return GetUserId();
}

std::string session_user_name()
{
	return guard(
		[] { return static_cast<const char *>(GetUserNameFromId(GetSessionUserId(), false)); });
}

} // namespace automation::pg
