-- with-functions: the forms that new functions replace go in the transaction that replaces their callers.

drop function if exists refuse(text);
drop function if exists refuse_erased();
drop function if exists refuse_spend(text, text);
