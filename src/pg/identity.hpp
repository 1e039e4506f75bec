// Whose rights and whose search path the code in a scope has.
#pragma once

#include "pg/spi.hpp"

namespace automation::pg {

constexpr const char *system_path = "pg_catalog, pg_temp"; // PostgreSQL's own names alone

// The rights alone, on whatever search path is set: for code in which no name is left to be looked
// up, and for a function that sets a path of its own and asks what its caller's was. SQL is
// executed by ActAs.
class RightsOf {
public:
	enum class Manner {
		definer,   // as a SECURITY DEFINER function: may do what its owner may
		restricted // besides, no change of session state: for expressions
	};

	RightsOf(Oid role, Manner manner);
	~RightsOf(); // while an exception passes, the (sub)transaction's abort restores all of it
	RightsOf(const RightsOf &) = delete;
	RightsOf &operator=(const RightsOf &) = delete;

private:
	Oid role_;
	int security_;
	int exceptions_ = std::uncaught_exceptions();
};

class ActAs {
public:
	using Manner = RightsOf::Manner;

	// What the code within sets for the session does not outlive it.
	ActAs(Oid role, Manner manner, const std::string &search_path);
	// The engine itself: the extension's owner, on the system path; others may act within.
	static ActAs engine() { return ActAs(); }
	~ActAs();
	ActAs(const ActAs &) = delete;
	ActAs &operator=(const ActAs &) = delete;

private:
	ActAs();
	RightsOf rights_;
	int nest_level_ = 0;
	int exceptions_ = std::uncaught_exceptions();
};

// The engine without anybody else: for a statement in which no code of users runs. It is cheaper
// than ActAs::engine(), as the setting search_path stays; one that a function sets would not count.
class EngineOnly {
public:
	EngineOnly();
	~EngineOnly();
	EngineOnly(const EngineOnly &) = delete;
	EngineOnly &operator=(const EngineOnly &) = delete;

private:
	RightsOf rights_;
	bool overrides_;
	int exceptions_ = std::uncaught_exceptions();
};

// Settings that change how values are written, set to their ordinary values where the session
// differs, so that a message reads the same whoever's write made it.
class OrdinarySettings {
public:
	enum class Need { none, all };

	explicit OrdinarySettings(Need need);
	~OrdinarySettings();
	OrdinarySettings(const OrdinarySettings &) = delete;
	OrdinarySettings &operator=(const OrdinarySettings &) = delete;

private:
	int nest_level_ = 0;
	int exceptions_ = std::uncaught_exceptions();
};

// Waits for no lock longer than a fifth of a second, less than it takes to be found in a deadlock:
// who meets us goes on.
class BriefLockWaits {
public:
	BriefLockWaits();
	~BriefLockWaits();
	BriefLockWaits(const BriefLockWaits &) = delete;
	BriefLockWaits &operator=(const BriefLockWaits &) = delete;

private:
	int nest_level_;
	int exceptions_ = std::uncaught_exceptions();
};

// Whether the role may do all that the session may: what its code leaves for later (a deferred
// trigger, a cursor that is held, a temporary table) then gains it nothing.
bool has_rights_of_session(Oid role);

void require_role(Oid role); // raises an error if there is none
Oid extension_owner();		 // InvalidOid (0) when the extension is not installed
Oid current_role();
std::string session_user_name();

} // namespace automation::pg
