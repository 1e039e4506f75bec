// Calls from SQL: the trampoline that lets public verbs know their caller, and typed arguments.
#pragma once

#include "pg/spi.hpp"

#include <optional>
#include <string>
#include <vector>

struct FunctionCallInfoBaseData;

namespace automation::pg {

// Runs the private function of the same name with a leading underscore and the caller as its first
// argument, with the rights of the extension's owner. The caller is who called the public function:
// a SECURITY DEFINER wrapper of somebody else counts as that somebody.
Datum call_as_extension_owner(FunctionCallInfoBaseData *call);

bool is_null_argument(FunctionCallInfoBaseData *call, int number);
std::string text_argument(FunctionCallInfoBaseData *call, int number); // from 0; not null
std::optional<std::string> text_argument_or_null(FunctionCallInfoBaseData *call, int number);
std::vector<std::string> text_array_argument(FunctionCallInfoBaseData *call, int number);
std::string json_argument(FunctionCallInfoBaseData *call, int number); // jsonb as text
std::optional<std::string> json_argument_or_null(FunctionCallInfoBaseData *call, int number);
Oid oid_argument(FunctionCallInfoBaseData *call, int number);
int integer_argument(FunctionCallInfoBaseData *call, int number);
Datum datum_argument(FunctionCallInfoBaseData *call, int number);
Datum text_result(const std::string &text);
Datum json_result(const std::string &json);
Datum json_result_or_null(FunctionCallInfoBaseData *call, const std::optional<std::string> &json);
Datum text_result_or_null(FunctionCallInfoBaseData *call, const std::optional<std::string> &text);

// The rows of a set-returning function; columns in their textual form, none for NULL.
class ResultSet {
public:
	explicit ResultSet(FunctionCallInfoBaseData *call);
	void add(const std::vector<std::optional<std::string>> &columns);

private:
	FunctionCallInfoBaseData *call_;
};
// {"a","b"} with every element quoted.
std::string array_text(const std::vector<std::string> &elements);

} // namespace automation::pg
