#include "pg/postgres.hpp"

#include "pg/databases.hpp"

namespace automation::pg {

std::vector<Database> connectable_databases()
{
	struct Entry {
		Oid oid;
		NameData name;
	};
	List *entries = guard([] {
		List *found = NIL;
		Relation databases = table_open(DatabaseRelationId, AccessShareLock);
		TableScanDesc scan = table_beginscan_catalog(databases, 0, nullptr);
		while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
			const auto *row = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
			if (!row->datallowconn || row->datistemplate)
				continue;
			auto *entry = static_cast<Entry *>(palloc(sizeof(Entry)));
			*entry = {row->oid, row->datname};
			found = lappend(found, entry);
		}
		table_endscan(scan);
		table_close(databases, AccessShareLock);
		return found;
	});
	std::vector<Database> databases;
	for (int i = 0; i < list_length(entries); ++i) {
		const auto *entry = static_cast<const Entry *>(list_nth(entries, i));
		databases.push_back({entry->oid, NameStr(entry->name)});
	}
	return databases;
}

} // namespace automation::pg
