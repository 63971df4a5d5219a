SELECT erase_unused_certificates($1::text[], $2::date, $3::integer)
