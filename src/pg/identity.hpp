// Whose rights and whose search path the code in a scope has.
#pragma once

#include "pg/spi.hpp"

namespace automation::pg {

class ActAs {
public:
	enum class Manner {
		definer,   // as a SECURITY DEFINER function: may do what its owner may
		restricted // besides, no change of session state: for expressions
	};

	ActAs(Oid role, Manner manner);
	// Also sets the search path, temporary objects last.
	ActAs(Oid role, Manner manner, const std::string &search_path);
	~ActAs(); // while an exception passes, the (sub)transaction's abort restores all of it
	ActAs(const ActAs &) = delete;
	ActAs &operator=(const ActAs &) = delete;

private:
	Oid role_;
	int security_;
	int nest_level_;
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

Oid extension_owner(); // InvalidOid (0) when the extension is not installed
std::string session_user_name();

} // namespace automation::pg
