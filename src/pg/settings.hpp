// The extension's settings. Each variable's initialiser is its boot value.
#pragma once

namespace automation::pg {

void define_settings(); // from _PG_init

namespace settings {

inline bool enabled = true;
inline bool journal = false;
inline int max_depth = 8;
inline int delivery = 1; // pg_automation.delivery: on or off
inline char *databases = nullptr;
inline char *secrets_directory = nullptr;
inline int max_in_flight = 64;
inline int poll_interval = 1'000;	 // ms
inline int request_timeout = 30'000; // ms
inline int connect_timeout = 5'000;	 // ms
inline bool superuser_rules = true;

} // namespace settings

} // namespace automation::pg
