#include "pg/json_value.hpp"

namespace automation::pg {

JsonbValue null_value()
{
	JsonbValue made{};
	made.type = jbvNull;
	return made;
}

JsonbValue text_value(const char *characters, int length)
{
	if (static_cast<uint32>(length) > JENTRY_OFFLENMASK)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("string too long to represent as jsonb string"));
	JsonbValue made{};
	made.type = jbvString;
	made.val.string.val = const_cast<char *>(characters);
	made.val.string.len = length;
	return made;
}

JsonbValue number_value(Numeric number)
{
	if (numeric_is_nan(number) || numeric_is_inf(number)) {
		const char *name =
			DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
		return text_value(name, static_cast<int>(strlen(name)));
	}
	JsonbValue made{};
	made.type = jbvNumeric;
	made.val.numeric = number;
	return made;
}

JsonbValue json_value(Jsonb *value)
{
	JsonbValue made{};
	if (JB_ROOT_IS_SCALAR(value)) {
		JsonbExtractScalar(&value->root, &made);
		return made;
	}
	made.type = jbvBinary;
	made.val.binary.data = &value->root;
	made.val.binary.len = static_cast<int>(VARSIZE(value) - VARHDRSZ);
	return made;
}

} // namespace automation::pg
