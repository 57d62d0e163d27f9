-- `refuse` takes a code and its details. The older form, which took a word, would win where a call has
-- no details.

drop function if exists refuse(text);
drop function if exists refuse_erased();
