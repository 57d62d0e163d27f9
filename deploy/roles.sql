-- The roles of Farebox's database. The image of Postgres runs this once, as the superuser.

\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD

create role farebox_app nologin;
create role farebox_user nologin;
create role farebox_reader nologin;
create role farebox_owner login password :'owner_password';
create role farebox login password :'app_password' in role farebox_app;
alter role farebox set statement_timeout = '5s';
alter database farebox owner to farebox_owner;
