-- sudo -u postgres psql --set=password=... --file=create.sql
CREATE ROLE curate LOGIN PASSWORD :'password';
CREATE DATABASE curate OWNER curate;
