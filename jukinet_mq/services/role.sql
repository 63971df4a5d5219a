-- psql variables: role, password. Repeating it changes nothing.
SELECT format('CREATE ROLE %I', :'role') WHERE to_regrole(:'role') IS NULL \gexec
ALTER ROLE :"role" LOGIN PASSWORD :'password';
