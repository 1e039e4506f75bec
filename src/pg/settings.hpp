// The extension's settings. Each variable's initialiser is its boot value.
#pragma once

namespace automation::pg {

void define_settings(); // from _PG_init

namespace settings {

inline bool enabled = true;
inline bool journal = false;
inline char *override_reason = nullptr;
inline int max_depth = 8;
inline int max_events_per_transaction = 1'000; // 0: no limit
// pg_automation.delivery
enum Delivery { delivery_off, delivery_on, delivery_simulated };
inline int delivery = delivery_on;
inline char *databases = nullptr;
inline char *secrets_directory = nullptr;
inline int max_in_flight = 128;
inline int max_in_flight_per_host = 64;
inline int poll_interval = 1'000;	 // ms
inline int request_timeout = 30'000; // ms
inline int connect_timeout = 5'000;	 // ms
inline bool superuser_rules = true;

} // namespace settings

} // namespace automation::pg
