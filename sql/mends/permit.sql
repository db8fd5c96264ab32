-- Lets a role read the views.
select howdah.permit(:'role', 'read');
