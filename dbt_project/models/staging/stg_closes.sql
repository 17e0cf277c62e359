-- Every complete packet, by its manifest and approval.
select * from {{ from_configuration('closes') }}
