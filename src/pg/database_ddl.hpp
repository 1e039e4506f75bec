// DROP DATABASE, ALTER DATABASE RENAME and CREATE DATABASE TEMPLATE want a database without
// connections: the worker makes way for them.
#pragma once

namespace automation::pg {

void make_way_for_database_ddl(); // from _PG_init

} // namespace automation::pg
